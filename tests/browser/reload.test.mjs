// The promise of the demo: edit a script, and see it on the connection that was there before.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startServer, waitFor } from '../clients/server.mjs';
import { launchBrowser, openTab, say, seeMessage, texts } from './browser.mjs';

let server, browser, ann, ben;
before(async () => {
  server = await startServer();
  browser = await launchBrowser();
  ann = await openTab(browser, `${server.http}/#reload`);
  ben = await openTab(browser, `${server.http}/#reload`);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function edit(from, to) {
  const path = join(server.dir, 'demo/chat.lua');
  const text = await readFile(path, 'utf8');
  assert.ok(text.includes(from), `chat.lua has "${from}"`);
  await writeFile(path, text.replace(from, to));
}

const told = tab => tab.page.locator('#link-text').textContent();
const seeGeneration = (tab, n) => tab.page.locator('#generation', { hasText: `generation ${n}` }).waitFor();

// One WebSocket since the page was opened, and it never closed.
function assertSameConnection(tab, before) {
  assert.equal(tab.sockets.length, 1);
  assert.ok(!tab.sockets[0].wasClosed);
  return told(tab).then(now => assert.equal(now, before));
}

test('the page names the file and the line that this test edits', async () => {
  const card = ann.page.locator('.reload');
  assert.match(await card.textContent(), /scripts\/demo\/chat\.lua/);
  assert.equal(await card.locator('#reload-code').textContent(), 'return text:upper()');
});

test('an edit changes what the next message does, on the same connection', async () => {
  const connected = [await told(ann), await told(ben)];
  assert.match(connected[0], /^Connected since \d\d:\d\d:\d\d \u00b7 connection \S+$/);
  await say(ann, 'before the edit');
  await seeMessage(ben, 'before the edit');

  await edit('return text\n', 'return text:upper()\n');
  await seeGeneration(ann, 2);
  await ann.page.locator('#generations', { hasText: 'Generation 2 took over. Your connection is the same one' }).waitFor();
  await say(ann, 'after the edit');
  await seeMessage(ben, 'AFTER THE EDIT');
  await say(ben, 'an answer');
  await seeMessage(ann, 'AN ANSWER');

  for (const [i, tab] of [ann, ben].entries()) {
    await assertSameConnection(tab, connected[i]);
    assert.deepEqual(await texts(tab, '.message > p'), ['before the edit', 'AFTER THE EDIT', 'AN ANSWER']);
  }
});

test('a broken edit is logged and changes nothing', async () => {
  const connected = await told(ann);
  await edit('return text:upper()\n', 'return text:upper(\n');
  await waitFor('the error in the log', () => /chat\.lua:\d+:/.test(server.log));
  await say(ann, 'still running');
  await seeMessage(ben, 'STILL RUNNING');
  await edit('return text:upper(\n', 'return text .. " (" .. #text .. ")"\n');
  await waitFor('the mended script', async () => {
    await say(ann, 'mended');
    await ann.page.waitForTimeout(100);
    return (await texts(ben, '.message > p')).includes('mended (6)');
  });
  await assertSameConnection(ann, connected);
});

test('the page itself is served anew', async () => {
  const path = join(server.dir, 'demo/page/index.html');
  await writeFile(path, (await readFile(path, 'utf8')).replace('<h1>Tidegate', '<h1>Edited'));
  await waitFor('the edited page', async () => (await (await fetch(server.http)).text()).includes('<h1>Edited'));
  assert.ok(!ann.sockets[0].wasClosed);
});

test('nothing stands in the console of either tab', () => {
  assert.deepEqual([...ann.complaints, ...ben.complaints], []);
});
