"use strict";
(() => {
  const TEXT = {
    en: {
      skip: "Skip to content", board: "live board", language: "Language", logout: "Log out",
      loginTitle: "Log in", loginHelp: "The live board shows supervisors who is working and which calls are going on, as it happens.",
      loginId: "Login id", password: "Password", login: "Log in", failed: "The server cannot be reached. Try again.", wrong: "The login id or the password is wrong.", tooMany: "Too many attempts. Try again in {n} seconds.",
      notAllowed: "Your role may not see the live board. Ask an administrator.",
      expired: "Your login has expired. Log in again.", closed: "This account may no longer watch. Ask an administrator.",
      connecting: "Connecting", live: "Live", lost: "Reconnecting",
      staleText: "The connection is lost: what you see is from {time}. The board connects again by itself.",
      now: "Right now", servers: "Telephone exchanges", serversHint: "Calls can only be made through an exchange that is connected.",
      campaigns: "Campaigns", campaignsHint: "Lists of people being called. Figures count since the daemon started.",
      agents: "Agents", agentsHint: "Everybody who is logged in at a telephone, by what they are doing.",
      calls: "Calls", callsHint: "Every call that is going on; those waiting for an agent come first.",
      up: "connected", down: "not connected", noServers: "No exchange is configured.",
      tAvailable: "agents available", tAvailableNote: "waiting for a call", tOnCall: "agents on a call", tOnCallNote: "{n} more finishing up",
      tPaused: "agents paused", tPausedNote: "of {n} logged in", tCalls: "calls going on", tCallsNote: "{n} talking with an agent",
      tWaiting: "callers waiting", tWaitingNote: "longest {time}", tNobody: "nobody waits", tAbandoned: "calls abandoned", tAbandonedNote: "{n} of {m} people who answered",
      tNoAnswered: "nobody has answered yet",
      name: "Name", state: "State", since: "For", station: "Telephone", call: "Call", mode: "Dialing", lines: "Lines out", attempts: "Dialed",
      human: "People", machine: "Machines", bridged: "Connected", abandoned: "Abandoned", number: "Number", about: "For what", agent: "Agent",
      noCampaigns: "There is no campaign yet.", noAgents: "Nobody is logged in at a telephone.", noCalls: "No call is going on.", more: "and {n} more",
      inbound: "incoming", outbound: "outgoing", unknown: "unknown", unreachable: "telephone not reached",
      s: { available: "available", reserved: "being connected", ringing: "ringing", "on-call": "on a call", "on-hold": "on hold", "wrap-up": "finishing up", paused: "paused", offline: "offline" },
      p: { restored: "being looked for", dialing: "dialing", ringing: "ringing", answered: "answered", flow: "in a menu", waiting: "waiting", connecting: "being connected", bridged: "talking", message: "hears a message", ending: "ending" },
      r: { "logged-in": "just logged in", "station lost": "telephone hung up", "station did not answer": "telephone was not answered" },
      c: { stopped: "stopped", running: "running", paused: "paused", finished: "finished" },
      m: { progressive: "progressive", power: "power" }, version: "Strowger {v}",
    },
    fr: {
      skip: "Aller au contenu", board: "tableau en direct", language: "Langue", logout: "Se déconnecter",
      loginTitle: "Connexion", loginHelp: "Le tableau en direct montre aux superviseurs qui travaille et quels appels sont en cours, à l’instant même.",
      loginId: "Identifiant", password: "Mot de passe", login: "Se connecter", failed: "Le serveur est injoignable. Réessayez.", wrong: "L’identifiant ou le mot de passe est incorrect.", tooMany: "Trop d’essais. Réessayez dans {n} secondes.",
      notAllowed: "Votre rôle ne permet pas de voir le tableau. Demandez à un administrateur.",
      expired: "Votre session a expiré. Reconnectez-vous.", closed: "Ce compte ne peut plus regarder. Demandez à un administrateur.",
      connecting: "Connexion…", live: "En direct", lost: "Reconnexion…",
      staleText: "La connexion est perdue : ce que vous voyez date de {time}. Le tableau se reconnecte tout seul.",
      now: "En ce moment", servers: "Centraux téléphoniques", serversHint: "On ne peut appeler que par un central connecté.",
      campaigns: "Campagnes", campaignsHint: "Les listes de personnes à appeler. Les chiffres comptent depuis le démarrage du service.",
      agents: "Agents", agentsHint: "Toutes les personnes connectées à un téléphone, selon ce qu’elles font.",
      calls: "Appels", callsHint: "Tous les appels en cours ; ceux qui attendent un agent sont en tête.",
      up: "connecté", down: "non connecté", noServers: "Aucun central n’est configuré.",
      tAvailable: "agents disponibles", tAvailableNote: "attendent un appel", tOnCall: "agents en appel", tOnCallNote: "{n} de plus en fin d’appel",
      tPaused: "agents en pause", tPausedNote: "sur {n} connectés", tCalls: "appels en cours", tCallsNote: "{n} avec un agent",
      tWaiting: "appels en attente", tWaitingNote: "le plus long : {time}", tNobody: "personne n’attend", tAbandoned: "appels abandonnés", tAbandonedNote: "{n} sur {m} personnes qui ont répondu",
      tNoAnswered: "personne n’a encore répondu",
      name: "Nom", state: "État", since: "Depuis", station: "Téléphone", call: "Appel", mode: "Numérotation", lines: "Lignes", attempts: "Appelés",
      human: "Personnes", machine: "Répondeurs", bridged: "Mis en relation", abandoned: "Abandonnés", number: "Numéro", about: "Pour", agent: "Agent",
      noCampaigns: "Il n’y a pas encore de campagne.", noAgents: "Personne n’est connecté à un téléphone.", noCalls: "Aucun appel en cours.", more: "et {n} de plus",
      inbound: "entrant", outbound: "sortant", unknown: "inconnu", unreachable: "téléphone non joint",
      s: { available: "disponible", reserved: "mise en relation", ringing: "sonne", "on-call": "en appel", "on-hold": "appel en garde", "wrap-up": "fin d’appel", paused: "en pause", offline: "hors ligne" },
      p: { restored: "recherché", dialing: "numérotation", ringing: "sonne", answered: "décroché", flow: "dans un menu", waiting: "en attente", connecting: "mise en relation", bridged: "en conversation", message: "écoute un message", ending: "se termine" },
      r: { "logged-in": "vient de se connecter", "station lost": "téléphone raccroché", "station did not answer": "téléphone non décroché" },
      c: { stopped: "arrêtée", running: "en cours", paused: "en pause", finished: "terminée" },
      m: { progressive: "progressive", power: "par ratio" }, version: "Strowger {v}",
    },
  };
  const AGENT_TONE = { available: "good", reserved: "busy", ringing: "busy", "on-call": "busy", "on-hold": "busy", "wrap-up": "wait", paused: "idle", offline: "idle" };
  const CALL_TONE = { waiting: "bad", bridged: "good", connecting: "busy", ringing: "idle", dialing: "idle", answered: "busy", flow: "busy", message: "wait", ending: "idle", restored: "idle" };
  const CAMPAIGN_TONE = { running: "good", paused: "wait", stopped: "idle", finished: "busy" };
  const AGENT_ORDER = Object.keys(AGENT_TONE);
  const CALL_ORDER = ["waiting", "connecting", "bridged", "flow", "answered", "message", "ringing", "dialing", "restored", "ending"];
  // A wrap-up longer than five minutes or a wait longer than twenty seconds deserves a look.
  const LATE = { "wrap-up": 300, waiting: 20 };
  const ROWS = 300;

  const $ = (id) => document.getElementById(id);
  const store = (key, value) => { try { if (value === undefined) return sessionStorage.getItem(key); if (value === null) sessionStorage.removeItem(key); else sessionStorage.setItem(key, value); } catch { /* private mode */ } return null; };

  let lang = (() => { try { return localStorage.getItem("lang"); } catch { return null; } })() || (navigator.language.toLowerCase().startsWith("fr") ? "fr" : "en");
  const t = (key, values = {}) => Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), TEXT[lang][key]);

  const view = { run: null, seq: 0, agents: new Map(), calls: new Map(), campaigns: new Map(), servers: new Map() };
  let token = store("token"), socket = null, tries = 0, retry = 0, link = "connecting", lastHeard = 0, skew = 0, dirty = false, version = "";

  function el(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }
  const now = () => Date.now() + skew;
  function lasting(since) {
    const seconds = Math.max(0, Math.floor((now() - Date.parse(since)) / 1000));
    const two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(seconds / 3600), rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    return { seconds, text: hours ? `${hours}:${rest}` : rest };
  }
  const count = (n) => n.toLocaleString(lang);

  // --- texts and login ---

  function translate() {
    document.documentElement.lang = lang;
    document.title = `Strowger – ${t("board")}`;
    for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
    for (const node of document.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
    for (const code of ["en", "fr"]) $(`lang-${code}`).setAttribute("aria-pressed", String(code === lang));
    $("version").textContent = version && t("version", { v: version });
    heads();
    showLink();
    draw();
  }
  function setLang(code) { lang = code; try { localStorage.setItem("lang", code); } catch { /* private mode */ } translate(); }

  function showLogin(message) {
    token = null; store("token", null); store("who", null);
    clearTimeout(retry);
    if (socket) { const old = socket; socket = null; old.close(); }
    $("login").hidden = false; $("live").hidden = true; $("logout").hidden = true; $("link").hidden = true; $("who").textContent = "";
    $("login-error").textContent = message || "";
    $("password").value = "";
    $("login-id").focus();
  }
  async function login(event) {
    event.preventDefault();
    const button = event.target.querySelector("button");
    button.disabled = true; $("login-error").textContent = "";
    try {
      const answer = await fetch("/api/v1/auth/login", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ login_id: $("login-id").value.trim(), password: $("password").value }) });
      const body = await answer.json();
      if (!answer.ok) {
        const said = { 401: t("wrong"), 429: t("tooMany", { n: answer.headers.get("retry-after") || "30" }) }[answer.status];
        $("login-error").textContent = said || body.error || t("failed");
        return;
      }
      if (body.data.user.role === "agent") { showLogin(t("notAllowed")); return; }
      token = body.data.access_token; store("token", token); store("who", body.data.user.name);
      open();
    } catch { $("login-error").textContent = t("failed"); } finally { button.disabled = false; }
  }

  // --- the live view ---

  async function readClock() {
    try {
      const health = await (await fetch("/health")).json();
      skew = Date.parse(health.timestamp) - Date.now(); version = health.version;
      $("version").textContent = t("version", { v: version });
    } catch { /* the next connection tries again */ }
  }
  function open() {
    $("login").hidden = true; $("live").hidden = false; $("logout").hidden = false; $("who").textContent = store("who") || "";
    readClock(); connect();
  }
  function connect() {
    clearTimeout(retry);
    setLink(tries ? "lost" : "connecting");
    const from = view.run ? `?run=${encodeURIComponent(view.run)}&seq=${view.seq}` : "";
    const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/stream${from}`, ["strowger.v1", `bearer.${token}`]);
    socket = mine;
    mine.onmessage = (event) => { if (socket === mine) { lastHeard = Date.now(); take(JSON.parse(event.data)); } };
    mine.onclose = async (event) => {
      if (socket !== mine) return;
      socket = null; tries += 1; setLink("lost");
      if (event.code === 4401) return showLogin(t("expired"));
      if (event.code === 4403) return showLogin(t("closed"));
      if (!await stillLoggedIn()) return;
      // Everybody comes back after a restart: not all in the same moment.
      retry = setTimeout(connect, Math.min(15000, 500 * 2 ** Math.min(tries, 5)) * (0.5 + Math.random()));
    };
  }
  async function stillLoggedIn() {
    if (!token) return false;
    try {
      const answer = await fetch("/api/v1/auth/me", { headers: { Authorization: `Bearer ${token}` } });
      if (answer.status === 401) { showLogin(t("expired")); return false; }
      if (answer.ok && (await answer.json()).data.role === "agent") { showLogin(t("notAllowed")); return false; }
    } catch { /* the server is away: keep trying */ }
    return true;
  }
  function take(message) {
    switch (message.type) {
      case "snapshot":
        view.run = message.run;
        for (const [name, key] of [["agents", "id"], ["calls", "id"], ["campaigns", "id"], ["servers", "name"]]) view[name] = new Map(message[name].map((item) => [item[key], item]));
        break;
      case "resumed": break;
      case "pong": return;
      case "agent": view.agents.set(message.data.id, message.data); break;
      case "agent-gone": view.agents.delete(message.data.id); break;
      case "call": view.calls.set(message.data.id, message.data); break;
      case "call-gone": view.calls.delete(message.data.id); break;
      case "campaign": view.campaigns.set(message.data.id, message.data); break;
      case "campaign-gone": view.campaigns.delete(message.data.id); break;
      case "server": view.servers.set(message.data.name, message.data); break;
    }
    if (message.seq !== undefined) view.seq = message.seq;
    if (link !== "live") { tries = 0; setLink("live"); }
    if (!dirty) { dirty = true; setTimeout(draw, 200); }
  }
  function setLink(state) { link = state; showLink(); }
  function showLink() {
    const pill = $("link");
    pill.hidden = !token;
    pill.className = `pill ${{ live: "good", connecting: "wait", lost: "bad" }[link]}`;
    if (pill.textContent !== t(link)) pill.textContent = t(link);
    const stale = $("stale");
    stale.hidden = link !== "lost" || !lastHeard;
    if (!stale.hidden) stale.textContent = t("staleText", { time: new Date(lastHeard).toLocaleTimeString(lang) });
  }

  // --- drawing ---

  function heads() {
    const head = (id, names, numeric = []) => {
      const row = el("tr");
      for (const name of names) { const cell = el("th", numeric.includes(name) ? "num" : "", t(name)); cell.scope = "col"; row.append(cell); }
      $(id).replaceChildren(row);
    };
    const figures = ["lines", "attempts", "human", "machine", "bridged", "abandoned"];
    head("campaigns-head", ["name", "state", "mode", ...figures], figures);
    head("agents-head", ["name", "state", "since", "station", "call"]);
    head("calls-head", ["state", "since", "number", "about", "agent"]);
  }
  function cell(content, className) {
    const node = el("td", className);
    if (content instanceof Node) node.append(content); else node.textContent = content;
    return node;
  }
  const pill = (tone, text) => el("span", `pill ${tone}`, text);
  function timer(since, late) { const { seconds, text } = lasting(since); return cell(text, `time${late && seconds > late ? " late" : ""}`); }
  function rows(id, items, columns, empty, make) {
    const nodes = items.slice(0, ROWS).map((item) => { const row = el("tr"); row.append(...make(item)); return row; });
    const note = items.length === 0 ? t(empty) : items.length > ROWS ? t("more", { n: count(items.length - ROWS) }) : null;
    if (note) { const row = el("tr"), only = el("td", "empty", note); only.colSpan = columns; row.append(only); nodes.push(row); }
    $(id).replaceChildren(...nodes);
  }
  function tile(tone, value, label, note) {
    const node = el("div", `tile ${tone}`);
    node.append(el("dt", "", label), el("dd", "value", value), el("dd", "note", note));
    return node;
  }
  function draw() {
    dirty = false;
    if ($("live").hidden) return;
    const agents = [...view.agents.values()], calls = [...view.calls.values()], campaigns = [...view.campaigns.values()];
    const inState = (...states) => agents.filter((agent) => states.includes(agent.state)).length;
    const waiting = calls.filter((call) => call.phase === "waiting");
    const longest = waiting.reduce((worst, call) => Math.min(worst, Date.parse(call.since)), Infinity);
    const sum = (name) => campaigns.reduce((total, campaign) => total + campaign.counters[name], 0);
    const people = sum("answered_human"), abandoned = sum("abandoned");
    const share = people ? (abandoned / people).toLocaleString(lang, { style: "percent", maximumFractionDigits: 1 }) : "–";
    $("tiles").replaceChildren(
      tile("good", count(inState("available")), t("tAvailable"), t("tAvailableNote")),
      tile("busy", count(inState("on-call", "on-hold", "reserved", "ringing")), t("tOnCall"), t("tOnCallNote", { n: count(inState("wrap-up")) })),
      tile("", count(inState("paused")), t("tPaused"), t("tPausedNote", { n: count(agents.length) })),
      tile("busy", count(calls.length), t("tCalls"), t("tCallsNote", { n: count(calls.filter((call) => call.phase === "bridged").length) })),
      tile(waiting.length ? "bad" : "", count(waiting.length), t("tWaiting"), waiting.length ? t("tWaitingNote", { time: lasting(new Date(longest).toISOString()).text }) : t("tNobody")),
      tile(people && abandoned / people > 0.03 ? "bad" : "", share, t("tAbandoned"), people ? t("tAbandonedNote", { n: count(abandoned), m: count(people) }) : t("tNoAnswered")),
    );

    const servers = [...view.servers.values()].map((server) => { const item = el("li"); item.append(pill(server.up ? "good" : "bad", `${server.name} – ${t(server.up ? "up" : "down")} · ${lasting(server.since).text}`)); return item; });
    $("servers").replaceChildren(...(servers.length ? servers : [el("li", "muted", t("noServers"))]));

    const order = ["running", "paused", "finished", "stopped"];
    campaigns.sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.name.localeCompare(b.name, lang));
    rows("campaigns", campaigns, 9, "noCampaigns", (campaign) => [
      cell(campaign.name), cell(pill(CAMPAIGN_TONE[campaign.state] || "", TEXT[lang].c[campaign.state] || campaign.state)), cell(TEXT[lang].m[campaign.mode] || campaign.mode),
      ...[campaign.pending_lines, campaign.counters.attempts, campaign.counters.answered_human, campaign.counters.answered_machine, campaign.counters.bridged, campaign.counters.abandoned].map((n) => cell(count(n), "num")),
    ]);

    const rank = (list, value) => { const place = list.indexOf(value); return place < 0 ? list.length : place; };
    agents.sort((a, b) => rank(AGENT_ORDER, a.state) - rank(AGENT_ORDER, b.state) || a.name.localeCompare(b.name, lang));
    rows("agents", agents, 5, "noAgents", (agent) => {
      const state = el("span");
      state.append(pill(AGENT_TONE[agent.state] || "", TEXT[lang].s[agent.state] || agent.state));
      const why = agent.reachable ? TEXT[lang].r[agent.reason] || agent.reason : t("unreachable");
      if (why) state.append(el("span", "small", why));
      const call = view.calls.get(agent.call_id);
      return [cell(agent.name), cell(state), timer(agent.since, LATE[agent.state]), cell(agent.station.replace(/^PJSIP\//, "")), cell(call ? call.number || t("unknown") : "–")];
    });

    calls.sort((a, b) => rank(CALL_ORDER, a.phase) - rank(CALL_ORDER, b.phase) || Date.parse(a.since) - Date.parse(b.since));
    rows("calls", calls, 5, "noCalls", (call) => {
      const about = view.campaigns.get(call.campaign_id)?.name || call.queue_id || call.did || "–";
      const number = el("span", "", call.number || t("unknown"));
      number.append(el("span", "small", t(call.direction)));
      return [
        cell(pill(CALL_TONE[call.phase] || "", TEXT[lang].p[call.phase] || call.phase)), timer(call.since, LATE[call.phase]), cell(number), cell(about),
        cell(view.agents.get(call.agent_id)?.name || call.agent_id || "–"),
      ];
    });
  }

  $("login").addEventListener("submit", login);
  $("logout").addEventListener("click", () => { view.run = null; lastHeard = 0; for (const name of ["agents", "calls", "campaigns", "servers"]) view[name] = new Map(); showLogin(); });
  $("lang-en").addEventListener("click", () => setLang("en"));
  $("lang-fr").addEventListener("click", () => setLang("fr"));
  setInterval(() => {
    draw();
    if (socket && socket.readyState === 1) {
      // A proxy may keep a dead connection open: ask, and start anew when nothing comes back.
      if (Date.now() - lastHeard > 60000 && lastHeard) socket.close();
      else if (Date.now() - lastHeard > 25000) socket.send("{\"type\":\"ping\"}");
    }
  }, 1000);
  translate();
  if (token) open(); else showLogin();
})();
