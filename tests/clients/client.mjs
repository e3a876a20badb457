// What the tests hold in their hands: a WebSocket and an EventSource that remember what came, and
// a curl process.
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import WebSocket from 'ws';
import { EventSource } from 'eventsource';
import { fetchEventSource } from '@microsoft/fetch-event-source';
import { WAIT_MS, waitFor } from './server.mjs';

// What fetch-event-source takes from a page.
Object.assign(globalThis, { window: globalThis, document: { removeEventListener() {} } });

// An inbox hands out what matches, in order, and keeps the rest.
export class Inbox extends EventEmitter {
  items = [];
  add(item) { this.items.push(item); this.emit('item'); }
  async next(matches = () => true, what = 'a message') {
    const signal = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const at = this.items.findIndex(matches);
      if (at >= 0) return this.items.splice(at, 1)[0];
      await once(this, 'item', { signal }).catch(() => { throw new Error(`waited in vain for ${what}`); });
    }
  }
}

// An open WebSocket with `inbox` (of { data, binary }), `json` (of parsed messages) and `answer`,
// what the server said to the extensions that were offered.
export async function openSocket(url, protocols, options) {
  const socket = new WebSocket(url, protocols, options);
  socket.inbox = new Inbox();
  socket.json = new Inbox();
  socket.on('message', (data, binary) => {
    socket.inbox.add({ data, binary });
    if (binary) return;
    try { socket.json.add(JSON.parse(data)); } catch { /* not every message is JSON */ }
  });
  socket.once('upgrade', response => {
    socket.answer = response.headers['sec-websocket-extensions'];
  });
  socket.closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }));
  socket.closed.catch(() => {});
  socket.tell = value => socket.send(JSON.stringify(value));
  socket.nextOf = type => socket.json.next(message => message.type === type, type);
  await once(socket, 'open');
  return socket;
}

// The status and body a handshake is refused with.
export function refusal(url, options) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, options);
    socket.on('open', () => reject(new Error('the handshake was accepted')));
    socket.on('error', () => {});
    socket.on('unexpected-response', async (request, response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode, body });
    });
  });
}

// An open EventSource with `inbox` (of { type, id, data }) of the named events.
export async function openEvents(url, types, options) {
  const source = new EventSource(url, options);
  source.inbox = new Inbox();
  source.opens = 0;
  source.addEventListener('open', () => { source.opens += 1; });
  for (const type of types) {
    source.addEventListener(type, event => {
      source.inbox.add({ type, id: event.lastEventId, data: event.data });
    });
  }
  await waitFor(`${url} to open`, () => source.opens > 0);
  return source;
}

// The same with fetch-event-source. `source.done` rejects with what options.onopen or options.onerror throws.
export async function openFetchEvents(url, types, options) {
  const stopper = new AbortController(), source = { inbox: new Inbox(), opens: 0, close: () => stopper.abort() };
  const isTold = ({ event, data }) => types.includes(event || 'message') && (event || data);  // not comments, ids alone
  source.done = fetchEventSource(url, {
    ...options, signal: stopper.signal, openWhenHidden: true,
    async onopen(response) { await options?.onopen?.(response); source.opens += 1; },
    onmessage: message => {
      if (isTold(message)) source.inbox.add({ type: message.event || 'message', id: message.id, data: message.data });
    },
    onclose: () => { throw new Error('the stream ended'); },  // and is opened again
  });
  let isOver = false;
  source.done.catch(() => {}).then(() => { isOver = true; });
  await waitFor(`${url} to open`, () => source.opens > 0 || isOver);
  if (source.opens === 0) await source.done;
  return source;
}

// curl with its output in `text` and its `input`; `done` resolves with its exit status.
export function runCurl(...args) {
  const child = spawn('curl', ['-sS', '--noproxy', '*', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const curl = { text: '', input: child.stdin.on('error', () => {}) };  // it need not read it
  child.stdout.setEncoding('utf8').on('data', text => { curl.text += text; });
  curl.done = once(child, 'close').then(([status]) => status);
  curl.stop = () => { child.kill(); return curl.done; };
  return curl;
}
