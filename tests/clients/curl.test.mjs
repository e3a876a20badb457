// curl against the server: HTTP/1.1 as the most common client of all speaks it, and the answers to a WebSocket
// handshake in plain sight. (Debian's curl has no WebSocket of its own. Its streams are in events.test.mjs.)
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runCurl } from './client.mjs';
import { startServer, waitFor } from './server.mjs';

let server;
before(async () => { server = await startServer({ scripts: ['scripts'] }); });
after(() => server.stop());

const HELLO = '/examples/hello/tide', BODY = 'x'.repeat(100_000), TOO_LARGE = 'x'.repeat(1024 * 1024 + 1);
const ECHO = '/examples/echo';
const upgrade = (version = 13) => [
  '-H', 'Connection: Upgrade', '-H', 'Upgrade: websocket', '-H', `Sec-WebSocket-Version: ${version}`,
  '-H', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];

// What is asked, how, and what the answer has: curl -i prints the heads as well. `input`: of curl.
const ROWS = {
  'GET': [HELLO, [], /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhello tide\n$/],
  'HEAD has the head of GET and no body': [HELLO, ['-I'], /^(?![^]*hello)HTTP\/1\.1 200 [^]*content-length: 11\r\n/i],
  'HTTP/1.0': [HELLO, ['--http1.0'], /^HTTP\/1\.[01] 200 [^]*hello tide\n$/],
  'an offer of HTTP/2 is left alone': [HELLO, ['--http2'], /^HTTP\/1\.1 200 [^]*hello tide\n$/],
  'nothing is compressed': [HELLO, ['--compressed'], /^(?![^]*content-encoding)HTTP\/1\.1 200 [^]*hello tide\n$/i],
  'dot segments': ['/nowhere/../examples/./hello/tide', ['--path-as-is'], /^HTTP\/1\.1 200 [^]*hello tide\n$/],
  'OPTIONS *': ['', ['-X', 'OPTIONS', '--request-target', '*'], /^HTTP\/1\.1 204 /],
  'no such path': ['/nowhere', [], /^HTTP\/1\.1 404 /],
  'another method': ['/probe/length', [], /^HTTP\/1\.1 405 [^]*\r\nallow: [^\r]*POST/i],
  'a body with its length': ['/probe/length', ['-d', '@-'], /\r\n\r\n100000 bytes$/, BODY],
  'a body in chunks': [
    '/probe/length', ['-d', '@-', '-H', 'Transfer-Encoding: chunked'], /\r\n\r\n100000 bytes$/, BODY],
  'a body that waits for 100 Continue': [
    '/probe/length', ['-d', '@-', '-H', 'Expect: 100-continue', '--expect100-timeout', '600'],
    /^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 [^]*100000 bytes$/, BODY],
  'a body over the limit is never asked for': [
    '/probe/length', ['-d', '@-', '-H', 'Expect: 100-continue', '--expect100-timeout', '600'],
    /^HTTP\/1\.1 413 /, TOO_LARGE],
  'a WebSocket route asked without a handshake': [ECHO, [], /^HTTP\/1\.1 426 [^]*\r\nupgrade: websocket\r\n/i],
  'a handshake of another version': [ECHO, upgrade(8), /^HTTP\/1\.1 426 [^]*\r\nsec-websocket-version: 13\r\n/i],
  'a handshake that is refused': [
    '/probe/refuse/401', upgrade(), /^HTTP\/1\.1 401 [^]*\r\n\r\nrefused with 401$/],
};

for (const [name, [path, args, expected, input]] of Object.entries(ROWS)) {
  test(name, async () => {
    const curl = runCurl('-i', ...args, server.http + path);
    curl.input.end(input);
    assert.equal(await curl.done, 0);
    assert.match(curl.text, expected);
  });
}

test('one connection for many requests', async () => {
  const urls = Array(5).fill(server.http + HELLO);
  const curl = runCurl('-w', '%{num_connects}\n', ...urls);
  assert.equal(await curl.done, 0);
  assert.deepEqual(curl.text.match(/^\d+$/gm), ['1', '0', '0', '0', '0']);
});

test('a handshake that is accepted, by the example of RFC 6455 1.3', async () => {
  const curl = runCurl('-i', '-N', ...upgrade(), `${server.http}/probe/protocol`);
  await waitFor('the first frame', () => curl.text.endsWith('\u0004none'));  // curl -i holds the head back till then
  assert.match(curl.text, /^HTTP\/1\.1 101 [^]*\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i);
  await curl.stop();
});
