// Streams of another origin than the page's in Chromium: who may read them, and with whose cookies.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LIMIT, startServer } from '../clients/server.mjs';
import { openWire } from '../clients/wire.mjs';
import { launchBrowser } from './browser.mjs';
import { openPage } from './follow.mjs';

let server, browser, wire, page;
before(async () => {
  wire = await openWire();  // another port is another origin; its cookies are the same
  server = await startServer({ scripts: ['scripts'], env: { PAGE_ORIGIN: wire.http } });
  browser = await launchBrowser();
  wire.target = server.port;
  page = await openPage(browser, wire.http);
  await page.evaluate(() => { document.cookie = 'who=ann; path=/'; });
});
after(async () => {
  await browser?.close();
  wire?.close();
  await server?.stop();
});

// The first event of an EventSource, or null when it gave up.
const firstOf = (path, withCredentials) => page.evaluate(([url, init]) => new Promise(resolve => {
  const source = new EventSource(url, init);
  const end = value => { source.close(); resolve(value); };
  source.onmessage = ({ data }) => end(JSON.parse(data));
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) end(null); };
}), [server.http + path, { withCredentials }]);

const ROWS = [
  ['an origin in the list reads, without cookies', '/cors/own/stream', false, { who: 'nobody', token: 'none' }],
  ['an origin in the list reads, with its cookies', '/cors/own/stream', true, { who: 'ann', token: 'none' }],
  ['another origin does not read', '/cors/others/stream', false, null],
  ['another origin does not read with cookies', '/cors/others/stream', true, null],
  ['all origins read, without cookies', '/cors/all/stream', false, { who: 'nobody', token: 'none' }],
  ['all origins is no answer to one with cookies', '/cors/all/stream', true, null],
  ['a stream without the guard is not read', '/demo/ticker', false, null],
];

for (const [name, path, withCredentials, expected] of ROWS) {
  test(name, LIMIT, async () => assert.deepEqual(await firstOf(path, withCredentials), expected));
}

test('a fetched stream sends a token and a last id, after a preflight', LIMIT, async () => {
  const read = (path, more) => page.evaluate(([url, headers]) => fetch(url, { headers }).then(async response => {
    const reader = response.body.getReader(), { value } = await reader.read();
    await reader.cancel();
    return new TextDecoder().decode(value);
  }, () => null), [server.http + path, { 'Authorization': 'Bearer t0ken', 'Last-Event-ID': '5', ...more }]);
  assert.match(await read('/cors/own/stream'), /^data: .*"token":"t0ken"/m);
  assert.equal(await read('/cors/others/stream'), null);
  assert.equal(await read('/cors/own/stream', { 'X-Other': '1' }), null, 'a header that is not listed');
});
