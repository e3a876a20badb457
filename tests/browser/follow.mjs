// A page that follows topics: an EventSource, and a WebSocket that comes back by itself, both of which remember what
// came. What is seen stays in the page until a test asks for it.

// A blank page on `url` in a tab of its own.
export async function openPage(browser, url) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(15_000);
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

// Messages carry a key, and as `after` the id of an earlier message: see the chain in tests/clients/scripts/resume.lua.
export async function followSocket(page, url) {
  await page.evaluate(target => {
    const seen = [], keys = new Set();
    let since;
    window.socket = { seen, opens: 0 };
    const connect = () => {
      const socket = new WebSocket(since ? `${target}&since=${since}` : target);
      socket.onopen = () => { window.socket.opens += 1; };
      socket.onclose = () => setTimeout(connect, 20);
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        since = message.after ?? since;
        if (!keys.has(message.key)) seen.push(message);
        keys.add(message.key);
      };
    };
    connect();
  }, url);
  await page.waitForFunction(() => window.socket.opens > 0);
}

export const seenEvents = page => page.evaluate(() => window.events.seen);
export const seenMessages = page => page.evaluate(() => window.socket.seen);
