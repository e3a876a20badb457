// The demo page in a real browser: what a person does with it.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { runCurl } from '../clients/client.mjs';
import { startServer, waitFor } from '../clients/server.mjs';
import { openWire } from '../clients/wire.mjs';
import { launchBrowser, openTab, say, seeMessage, texts } from './browser.mjs';

let server, browser;
before(async () => {
  server = await startServer();
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

// A test that fails leaves no tab behind for the next one to count.
afterEach(() => Promise.all((browser?.contexts() ?? []).map(context => context.close())));

const open = (room, options) => openTab(browser, `${server.http}/#${room}`, options);

async function closeClean(...tabs) {
  for (const tab of tabs) {
    assert.deepEqual(tab.complaints, []);
    await tab.close();
  }
}

test('two tabs chat both ways, and the feed beside shows the same', async () => {
  const ann = await open('two'), ben = await open('two');
  await say(ann, 'hello from the first tab');
  await seeMessage(ben, 'hello from the first tab');
  await say(ben, 'hello back');
  await seeMessage(ann, 'hello back');
  for (const tab of [ann, ben]) {
    await tab.page.locator('#feed li').nth(1).waitFor();
    const feed = await texts(tab, '#feed li');
    assert.equal(feed.length, 2);
    assert.match(feed[0], /^id: \w+-\d+.*: hello from the first tab$/);
    assert.match(feed[1], /: hello back$/);
    await tab.page.getByText('2 people here').waitFor();
  }
  assert.equal(await ann.page.locator('#log .message.own').count(), 1);
  await closeClean(ann, ben);
});

test('a late tab sees what was said, and a room change leaves it behind', async () => {
  const ann = await open('first');
  await say(ann, 'said before you came');
  await seeMessage(ann, 'said before you came');
  const ben = await open('first');
  await seeMessage(ben, 'said before you came');
  await ben.page.getByLabel('Room', { exact: true }).fill('second');
  await ben.page.getByLabel('Name', { exact: true }).fill('Ben');
  await ben.page.getByRole('button', { name: 'Set' }).click();
  await ben.page.getByText('only you here').waitFor();
  assert.equal(await ben.page.locator('.message').count(), 0);
  await say(ben, 'alone');
  await seeMessage(ben, 'alone');
  assert.deepEqual(await texts(ben, '.message b'), ['Ben']);
  assert.equal(await ann.page.locator('.message').count(), 1);
  await closeClean(ann, ben);
});

test('what people type is shown, never run', async () => {
  const ann = await open('markup');
  const markup = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  await ann.page.getByLabel('Name', { exact: true }).fill('<b>Ann</b>');
  await ann.page.getByRole('button', { name: 'Set' }).click();
  await say(ann, markup);
  await seeMessage(ann, markup);
  await ann.page.locator('#feed li:not(.empty)').waitFor();
  assert.deepEqual(await texts(ann, '.message b'), ['<b>Ann</b>']);
  assert.equal(await ann.page.locator('#log img, #log script, #log b b, #feed img').count(), 0);
  assert.equal(await ann.page.title(), 'Tidegate');
  await closeClean(ann);
});

test('the tide moves, a POST appears in every tab, the counts follow', async () => {
  const ann = await open('live'), ben = await open('live');
  const level = () => ann.page.locator('#tide-level').textContent();
  await waitFor('a level', async () => /^[+\u2212]\d\.\d\d$/.test(await level()));
  const line = await ann.page.locator('#gauge-line').getAttribute('d');
  await waitFor('the next level', async () => await ann.page.locator('#gauge-line').getAttribute('d') !== line);

  // The command the page shows, as a person copies it.
  const command = await ann.page.locator('#notify-command').textContent();
  const [, body, url] = command.match(/^curl -X POST -d '([^']+)' (\S+)$/);
  assert.equal(await runCurl('-X', 'POST', '-d', body, url).done, 0);
  for (const tab of [ann, ben]) await tab.page.locator('#notices li', { hasText: body }).waitFor();

  const sockets = tab => tab.page.locator('#tile-websockets').textContent();
  await waitFor('two WebSockets', async () => await sockets(ann) === '2');
  assert.equal(await ann.page.locator('#tile-streams').textContent(), '2');
  await closeClean(ben);
  await waitFor('one WebSocket', async () => await sockets(ann) === '1');
  await closeClean(ann);
});

test('a page that lost its connection comes back with what it missed, once', async () => {
  const wire = await openWire(server.port);
  const ann = await open('wire');
  const ben = await openTab(browser, `http://127.0.0.1:${wire.port}/#wire`);
  await say(ann, 'one');
  await seeMessage(ben, 'one');
  wire.cut();
  await ben.page.waitForSelector('#link:not([data-state=open])');
  await say(ann, 'two');
  await ben.page.waitForSelector('#link[data-state=open]');
  await say(ann, 'three');
  await seeMessage(ben, 'three');
  assert.deepEqual(await texts(ben, '.message > p'), ['one', 'two', 'three']);
  await waitFor('the feed', async () => (await texts(ben, '#feed li')).length === 3);
  await closeClean(ann);
  await ben.close();  // the loss itself stands in its console
  wire.close();
});

// Keeps every list of people that a tab has shown from now on, as texts.
const watchPeople = tab => tab.page.evaluate(() => {
  const list = document.getElementById('people');
  const show = () => [...list.children].map(item => item.textContent).join();
  window.lists = [show()];
  new MutationObserver(() => window.lists.push(show())).observe(list, { childList: true });
});
const watched = tab => tab.page.evaluate(() => window.lists.filter((list, i, all) => list !== all[i - 1]));

async function setName(tab, name) {
  await tab.page.getByLabel('Name', { exact: true }).fill(name);
  await tab.page.getByRole('button', { name: 'Set' }).click();
}

const seePeople = (tab, ...names) => waitFor(`${names} to be here`, async () =>
  (await texts(tab, '#people li')).join() === names.join());

test('the page lists who is here, by the names they have now', async () => {
  const ann = await open('people'), ben = await open('people');
  await setName(ann, 'Ann');
  await setName(ben, '<i>Ben</i>');
  for (const tab of [ann, ben]) await seePeople(tab, 'Ann', '<i>Ben</i>');
  await setName(ben, 'Ben');
  await seePeople(ann, 'Ann', 'Ben');
  await ben.page.getByLabel('Room', { exact: true }).fill('elsewhere');
  await ben.page.getByRole('button', { name: 'Set' }).click();
  await seePeople(ben, 'Ben');
  await seePeople(ann, 'Ann');
  await closeClean(ann, ben);
});

test('nobody sees a leave when a connection breaks or a page is loaded anew', async () => {
  const wire = await openWire(server.port);
  const ann = await open('grace');
  await setName(ann, 'Ann');
  const ben = await openTab(browser, `http://127.0.0.1:${wire.port}/#grace`);
  await setName(ben, 'Ben');
  await seePeople(ann, 'Ann', 'Ben');
  await watchPeople(ann);
  wire.cut();
  await waitFor('Ben to come back', () => ben.sockets.length === 2);
  await ben.page.waitForSelector('#link[data-state=open]');
  await ben.page.reload();
  await ben.page.waitForSelector('#link[data-state=open]');
  await seePeople(ben, 'Ann', 'Ben');
  await ben.close();
  await seePeople(ann, 'Ann');
  assert.deepEqual(await watched(ann), ['Ann,Ben', 'Ann']);
  await closeClean(ann);
  wire.close();
});

test('on a phone nothing is wider than the screen, dark or light', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const tab = await open('phone', { viewport: { width: 360, height: 740 }, colorScheme });
    await say(tab, `a-word-without-an-end-${'x'.repeat(300)}`);
    await tab.page.locator('.message').first().waitFor();
    assert.ok(await tab.page.evaluate(() => document.documentElement.scrollWidth) <= 360);
    await closeClean(tab);
  }
});

test('every field and button has a name for those who cannot see it', async () => {
  const tab = await open('names');
  const nameless = await tab.page.evaluate(() => [...document.querySelectorAll('input, button')]
    .filter(field => !field.labels?.length && !field.textContent.trim()).map(field => field.outerHTML));
  assert.deepEqual(nameless, []);
  for (const name of ['Chat', 'Feed', 'Tide', 'Notices', 'Right now', 'Change it while it runs']) {
    await tab.page.getByRole('region', { name, exact: true }).waitFor();
  }
  await closeClean(tab);
});
