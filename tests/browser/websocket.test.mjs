// Chromium's WebSocket: the rules that all clients go through, and what only a page has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openSocket } from '../clients/client.mjs';
import { makeClient } from '../clients/driven.mjs';
import { testRules } from '../clients/rules.mjs';
import { LIMIT } from '../clients/server.mjs';
import { makeDriver } from '../clients/w3c.mjs';
import { launchBrowser } from './browser.mjs';
import { openPage } from './follow.mjs';

let server, browser, page;  // of the rules, and of the tests after them

testRules({
  name: 'Chromium', can: ['refusal', 'compression'],
  refusal: () => ({ code: 1006, message: '' }),  // all that a page may know
  async start(started) {
    server = started;
    browser = await launchBrowser();
    page = await openPage(browser, server.http);
    await page.evaluate(`window.driver = (${makeDriver})((url, protocols) => new WebSocket(url, protocols)); 0`);
    const client = makeClient((op, args) => page.evaluate(([name, given]) => window.driver[name](given), [op, args]));
    return { ...client, stop: () => browser.close() };
  },
});

test('a Blob goes out and comes back, of every form of length', LIMIT, async () => {
  const lengths = [0, 1, 125, 126, 65535, 65536, 1048576];
  const came = await page.evaluate(async ([url, sizes]) => {
    const socket = new WebSocket(url), blobs = [];
    socket.binaryType = 'blob';
    await new Promise((resolve, reject) => {
      socket.onerror = () => reject(new Error('the socket failed'));
      socket.onopen = () => sizes.forEach(size => socket.send(new Blob([new Uint8Array(size).fill(size)])));
      socket.onmessage = ({ data }) => { if (blobs.push(data) === sizes.length) resolve(); };
    });
    socket.close();
    return Promise.all(blobs.map(async blob => {
      const bytes = new Uint8Array(await blob.arrayBuffer());
      return [blob instanceof Blob, bytes.length, bytes.every(byte => byte === (bytes.length & 255))];
    }));
  }, [`${server.ws}/examples/echo`, lengths]);
  assert.deepEqual(came, lengths.map(length => [true, length, true]));
});

test('a page that is left closes its sockets with 1001', LIMIT, async () => {
  const watch = await openSocket(`${server.ws}/probe/watch`);
  await watch.inbox.next();
  const leaving = await openPage(browser, server.http);
  await leaving.evaluate(url => new Promise(resolve => {
    window.socket = new WebSocket(url);
    window.socket.onopen = resolve;
  }), `${server.ws}/probe/close`);
  await leaving.goto('about:blank');
  assert.equal((await watch.json.next()).code, 1001);
  watch.close();
});
