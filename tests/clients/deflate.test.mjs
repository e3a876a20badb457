// The npm client `ws` with permessage-deflate (RFC 7692): sets of parameters,
// sizes of messages, whole and in fragments, on routes that keep contexts and
// routes that do not.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openSocket } from './client.mjs';
import { startServer } from './server.mjs';

let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

// As clients may offer them; what the server answers to each where it keeps no
// contexts, and where it does.
const NO_CONTEXT = '; server_no_context_takeover; client_no_context_takeover';
const SETS = {
  'no parameters': [{ clientMaxWindowBits: false }, NO_CONTEXT, ''],
  'client_max_window_bits': [{}, NO_CONTEXT, '; client_max_window_bits=12'],
  'client_no_context_takeover': [
    { clientNoContextTakeover: true }, NO_CONTEXT, '; client_no_context_takeover'],
  'server_no_context_takeover': [
    { serverNoContextTakeover: true }, NO_CONTEXT,
    '; server_no_context_takeover; client_max_window_bits=12'],
  'both without context': [
    { serverNoContextTakeover: true, clientNoContextTakeover: true }, NO_CONTEXT, NO_CONTEXT],
  'client window 9': [{ clientMaxWindowBits: 9 }, NO_CONTEXT, '; client_max_window_bits=9'],
  'client window 15': [{ clientMaxWindowBits: 15 }, NO_CONTEXT, '; client_max_window_bits=12'],
  'server window 9': [
    { serverMaxWindowBits: 9 }, `${NO_CONTEXT}; server_max_window_bits=9`,
    '; server_max_window_bits=9; client_max_window_bits=12'],
  'server window 15': [
    { serverMaxWindowBits: 15 }, `${NO_CONTEXT}; server_max_window_bits=15`,
    '; server_max_window_bits=15; client_max_window_bits=12'],
  'both windows 9, both without context': [
    { serverMaxWindowBits: 9, clientMaxWindowBits: 9, serverNoContextTakeover: true,
      clientNoContextTakeover: true },
    `${NO_CONTEXT}; server_max_window_bits=9`, `${NO_CONTEXT}; server_max_window_bits=9`],
  'both windows 15': [
    { serverMaxWindowBits: 15, clientMaxWindowBits: 15 }, `${NO_CONTEXT}; server_max_window_bits=15`,
    '; server_max_window_bits=15; client_max_window_bits=12'],
};

const SIZES = [0, 1, 16, 64, 125, 126, 127, 256, 1024, 4096, 8192, 65535, 131072];
const ROUTES = ['each', 'context'];

// JSON as applications send it, cut to a length; the same for the same seed.
function makeText(length, seed) {
  let text = '', state = seed;
  while (text.length < length) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    text += `{"id":${state},"user":"user${state % 17}","text":"the tide is ${state % 7} ft"},`;
  }
  return text.slice(0, length);
}

function sendInFragments(socket, text) {
  const step = Math.max(1, Math.ceil(text.length / 5));
  for (let at = 0; at < text.length; at += step) socket.send(text.slice(at, at + step), { fin: false });
  socket.send('', { fin: true });
}

// A threshold of 0: the client compresses whatever it sends.
const open = (route, options) => openSocket(`${server.ws}/probe/deflate/${route}`, [], {
  perMessageDeflate: options && { threshold: 0, ...options },
});

for (const [name, [options, ...answers]] of Object.entries(SETS)) {
  for (const [i, route] of ROUTES.entries()) {
    test(`${name} on the route "${route}": messages of every size come back`, async () => {
      const socket = await open(route, options);
      assert.equal(socket.answer, `permessage-deflate${answers[i]}`);
      for (const [seed, size] of SIZES.entries()) {
        const text = makeText(size, seed + 1);
        socket.send(text);
        assert.equal(String((await socket.inbox.next()).data), text, `${size} in one frame`);
        sendInFragments(socket, text);
        assert.equal(String((await socket.inbox.next()).data), text, `${size} in fragments`);
        socket.send(Buffer.from(text), { compress: false });
        const { data, binary } = await socket.inbox.next();
        assert.ok(binary && String(data) === text, `${size} uncompressed`);
      }
      socket.close();
      assert.equal((await socket.closed).code, 1005);
    });
  }
}

test('direct and topic messages mix, with contexts and without', async () => {
  const sockets = await Promise.all([
    open('plain', false), open('each', false), open('each', {}), open('context', {}),
    open('context', { serverMaxWindowBits: 12 }), open('context', { serverMaxWindowBits: 9 }),
    open('context', { serverNoContextTakeover: true }),
  ]);
  const isTopic = ({ data }) => data.subarray(0, 4).equals(Buffer.from('all:'));
  for (let round = 1; round <= 60; round++) {
    const own = makeText(round * 37 % 3000, round % 5 + 1);
    const shared = `all:${makeText(round * 61 % 9000, round % 7 + 1)}`;
    for (const socket of sockets) socket.send(own);
    sockets[round % sockets.length].send(shared);
    for (const [i, socket] of sockets.entries()) {
      assert.equal(String((await socket.inbox.next(item => !isTopic(item))).data), own, `socket ${i}`);
      assert.equal(String((await socket.inbox.next(isTopic)).data), shared, `socket ${i}`);
    }
  }
  for (const socket of sockets) socket.close();
});

test('thousands of messages keep their order and their bytes', async () => {
  for (const route of ROUTES) {
    const socket = await open(route, {});
    const texts = Array.from({ length: 3000 }, (_, i) => `${i}:${makeText(i * 7 % 500, i % 11 + 1)}`);
    for (const text of texts) socket.send(text);
    for (const text of texts) assert.equal(String((await socket.inbox.next()).data), text);
    socket.close();
  }
});

test('a message that inflates beyond the limit ends with 1009', async () => {
  const socket = await open('each', {});
  socket.on('error', () => {});
  socket.send(Buffer.alloc(1048577));
  assert.equal((await socket.closed).code, 1009);
});
