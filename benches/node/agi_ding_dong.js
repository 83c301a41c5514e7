'use strict';
// ding-dong: a FastAGI handler with 20 commands.

const AGIServer = require('ding-dong');

const handler = async (context) => {
  // A peer that goes away early is counted by the load.
  context.on('error', () => {});
  await context.onEvent('variables');
  for (let command = 0; command < 20; command += 1) {
    const answer = await context.getVariable('STROWGER_CALL');
    if (answer.value !== 'value') throw new Error(`unexpected answer ${JSON.stringify(answer)}`);
  }
  await context.end();
};

const server = new AGIServer(handler).start(Number(process.argv[2]), '127.0.0.1');
server.on('listening', () => {
  process.stdout.write(`${JSON.stringify({ listening: server.address().port })}\n`);
});
