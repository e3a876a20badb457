// The npm client `ws` against the server: what RFC 6455 promises a client.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { openSocket, refusal } from './client.mjs';
import { startServer } from './server.mjs';

let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

const echo = () => openSocket(`${server.ws}/examples/echo`);

test('text comes back as text', async () => {
  const socket = await echo();
  for (const text of ['', 'hello', 'Gr\u00fc\u00dfe \u{1f30a} \u0000 end']) {
    socket.send(text);
    const { data, binary } = await socket.inbox.next();
    assert.equal(binary, false);
    assert.equal(String(data), text);
  }
  socket.close();
});

test('binary comes back as binary, byte for byte', async () => {
  const socket = await echo();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  socket.send(bytes);
  const { data, binary } = await socket.inbox.next();
  assert.equal(binary, true);
  assert.deepEqual(data, bytes);
  socket.close();
});

test('every length form is echoed', async () => {
  const socket = await echo();
  for (const length of [125, 126, 127, 65535, 65536, 1048576]) {
    const bytes = Buffer.alloc(length, length & 0xff);
    socket.send(bytes);
    const { data } = await socket.inbox.next();
    assert.ok(data.equals(bytes), `${length} bytes`);
  }
  socket.close();
});

test('a message over the limit is refused with 1009', async () => {
  const socket = await echo();
  socket.on('error', () => {});
  socket.send(Buffer.alloc(1048577));
  assert.equal((await socket.closed).code, 1009);
});

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

test('the client closes, and the server answers with the same code', async () => {
  const watch = await openSocket(`${server.ws}/probe/watch`);
  await watch.inbox.next();
  const socket = await openSocket(`${server.ws}/probe/close`);
  socket.close(4000, 'that is all');
  assert.equal((await socket.closed).code, 4000);
  assert.deepEqual(await watch.json.next(), { code: 4000, reason: 'that is all' });
  watch.close();
});

test('a script closes with a code and a reason', async () => {
  const socket = await openSocket(`${server.ws}/probe/close`);
  socket.send('4001 enough');
  assert.deepEqual(await socket.closed, { code: 4001, reason: 'enough' });
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

test('the subprotocol is the first offered that the route speaks', async () => {
  const url = `${server.ws}/probe/protocol`;
  const both = await openSocket(url, ['tide.v9', 'tide.v1', 'tide.v2']);
  assert.equal(both.protocol, 'tide.v1');
  assert.equal(String((await both.inbox.next()).data), 'tide.v1');
  const none = await openSocket(url);
  assert.equal(none.protocol, '');
  assert.equal(String((await none.inbox.next()).data), 'none');
  both.close();
  none.close();
});

test('no extension is agreed on that the route does not want', async () => {
  const socket = await openSocket(`${server.ws}/examples/echo`, [], { perMessageDeflate: true });
  assert.equal(socket.answer, undefined);
  socket.close();
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
