// The npm client `ws` against the server: what RFC 6455 promises a client.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { openSocket, refusal } from './client.mjs';
import { makeLocalClient } from './driven.mjs';
import { testRules } from './rules.mjs';
import { startServer } from './server.mjs';
import { makeDriver } from './w3c.mjs';

// `ws` has the API of browsers, and more.
function startWs() {
  const driver = makeDriver((url, protocols) =>
    new WebSocket(url, protocols, { perMessageDeflate: { threshold: 0 } }));
  const socketOf = id => driver.clients[id].socket;
  return makeLocalClient({
    ...driver,
    fragments({ id, parts }) {
      const binary = 'binary' in parts[0];
      const send = ({ text, binary: bytes }, fin) =>
        socketOf(id).send(text ?? Buffer.from(bytes, 'base64'), { fin, binary });
      parts.forEach((part, i) => send(part, i === parts.length - 1));
    },
    async ping({ id, data }) {
      socketOf(id).ping(data);
      const [payload] = await once(socketOf(id), 'pong');
      assert.equal(String(payload), data);
    },
    pause: ({ id }) => socketOf(id).pause(),
    resume: ({ id }) => socketOf(id).resume(),
  });
}

testRules({
  name: 'ws', can: ['fragments', 'ping', 'refusal', 'compression', 'pause'], start: startWs,
  refusal: status => ({ code: 1006, message: `Unexpected server response: ${status}` }),
});

let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

const echo = () => openSocket(`${server.ws}/examples/echo`);

test('fragments make one message, with a ping answered in between', async () => {
  const socket = await echo();
  const wave = Buffer.from('\u{1f30a}');
  socket.send('one ', { fin: false });
  socket.send(wave.subarray(0, 2), { fin: false, binary: false });  // a character in two frames
  socket.ping('between');
  const [payload] = await once(socket, 'pong');
  assert.equal(String(payload), 'between');
  assert.equal(socket.inbox.items.length, 0);
  socket.send(wave.subarray(2), { fin: false });
  socket.send(' two', { fin: true });
  const { data, binary } = await socket.inbox.next();
  assert.equal(String(data), 'one \u{1f30a} two');
  assert.equal(binary, false);
  socket.close();
});

test('many messages come back complete and in order', async () => {
  const socket = await echo();
  for (let i = 0; i < 5000; i++) socket.send(String(i));
  for (let i = 0; i < 5000; i++) assert.equal(String((await socket.inbox.next()).data), String(i));
  socket.close();
});

test('text that is not UTF-8 ends with 1007', async () => {
  const socket = await echo();
  socket.on('error', () => {});
  socket.send(Buffer.from([0x68, 0xff, 0x69]), { binary: false });
  assert.equal((await socket.closed).code, 1007);
});

test('a connection that breaks is told to the script as 1006', async () => {
  const watch = await openSocket(`${server.ws}/probe/watch`);
  await watch.inbox.next();
  const socket = await openSocket(`${server.ws}/probe/close`);
  socket.terminate();
  assert.equal((await watch.json.next()).code, 1006);
  watch.close();
});

test('a handler that raises ends its own connection with 1011 and no other', async () => {
  const other = await echo();
  const socket = await openSocket(`${server.ws}/probe/raise`);
  socket.send('now');
  assert.equal((await socket.closed).code, 1011);
  assert.match(server.log, /probe\.lua:\d+: asked to: now/);
  other.send('still here');
  assert.equal(String((await other.inbox.next()).data), 'still here');
  other.close();
});

test('no extension is agreed on that the route does not want', async () => {
  const socket = await openSocket(`${server.ws}/examples/echo`, [], { perMessageDeflate: true });
  assert.equal(socket.answer, undefined);
  socket.close();
});

test('a refused handshake has its status and its body', async () => {
  for (const status of [401, 403]) {
    const { status: told, body } = await refusal(`${server.ws}/probe/refuse/${status}`);
    assert.deepEqual([told, body], [status, `refused with ${status}`]);
  }
});

test('a handshake to no route is a 404, one without upgrade a 426', async () => {
  assert.equal((await refusal(`${server.ws}/nowhere`)).status, 404);
  const plain = await fetch(`${server.http}/examples/echo`);
  assert.equal(plain.status, 426);
  assert.equal(plain.headers.get('upgrade'), 'websocket');
});

test('two hundred sockets at once', async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, echo));
  sockets.forEach((socket, i) => socket.send(`from ${i}`));
  for (const [i, socket] of sockets.entries()) {
    assert.equal(String((await socket.inbox.next()).data), `from ${i}`);
    assert.equal(socket.readyState, WebSocket.OPEN);
    socket.close();
  }
});
