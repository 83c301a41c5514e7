'use strict';
// asterisk-manager: the handler of all events.

const AsteriskManager = require('asterisk-manager');

const ami = new AsteriskManager(process.argv[2], '127.0.0.1', 'bench', 'bench', true);
let count = 0;
let first;

ami.on('managerevent', (event) => {
  if (first === undefined) first = performance.now();
  count += 1;
  if (event.event === 'UserEvent' && event.userevent === 'BenchEnd') {
    const now = performance.now();
    const line = {
      events: count,
      elapsed_s: (now - first) / 1000,
      ended_at_us: Math.round((performance.timeOrigin + now) * 1000),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`, () => process.exit(0));
  }
});
