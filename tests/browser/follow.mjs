// A page that follows topics: an EventSource, and a WebSocket that comes back by itself, both of which remember what
// came. What is seen stays in the page until a test asks for it.
import { WAIT_MS } from '../clients/server.mjs';

// A blank page on `url` in a tab of its own.
export async function openPage(browser, url) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(WAIT_MS);
  await page.goto(`${url}/resume/page`);
  return page;
}

export async function followEvents(page, url) {
  await page.evaluate(target => {
    const source = new EventSource(target);
    window.events = { seen: [], opens: 0, errors: 0, source };
    source.onopen = () => { window.events.opens += 1; };
    source.onerror = () => { window.events.errors += 1; };
    for (const type of ['message', 'note', 'gap']) {
      source.addEventListener(type, event =>
        window.events.seen.push({ type, id: event.lastEventId, data: event.data }));
    }
  }, url);
  await page.waitForFunction(() => window.events.opens > 0);
}

// Every message has its id, and the socket comes back since the last one: see /resume/socket in
// tests/clients/scripts/resume.lua.
export async function followSocket(page, url) {
  await page.evaluate(target => {
    const seen = [];
    let since;
    window.socket = { seen, opens: 0 };
    const connect = () => {
      const socket = new WebSocket(since ? `${target}&since=${since}` : target);
      socket.onopen = () => { window.socket.opens += 1; };
      socket.onclose = () => setTimeout(connect, 20);
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        since = message.id;
        if ('topic' in message) seen.push(message);
      };
    };
    connect();
  }, url);
  await page.waitForFunction(() => window.socket.opens > 0);
}

export const seenEvents = page => page.evaluate(() => window.events.seen);
export const seenMessages = page => page.evaluate(() => window.socket.seen);
