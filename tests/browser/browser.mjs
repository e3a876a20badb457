// Starts the system's Chromium, and opens pages whose console must stay clean.
import { chromium } from 'playwright-core';

const ARGUMENTS = [
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

export function launchBrowser() {
  const args = [...ARGUMENTS];
  if (process.getuid() === 0) args.push('--no-sandbox');  // Chromium's sandbox refuses root
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
}

// A tab on the demo page, connected. Collects `tab.complaints` (errors and warnings of the console,
// exceptions, failed requests) and `tab.sockets` (every WebSocket it ever opened).
export async function openTab(browser, url, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [], sockets = [];
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('response', response => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  page.on('websocket', socket => {
    sockets.push(socket);
    socket.on('close', () => { socket.wasClosed = true; });
  });
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  await page.waitForSelector('#link[data-state=open]');
  return { page, complaints, sockets, close: () => context.close() };
}

export async function say(tab, text) {
  await tab.page.getByLabel('Message', { exact: true }).fill(text);
  await tab.page.getByRole('button', { name: 'Send' }).click();
}

// Waits until the chat of a tab shows a message of exactly this text.
export function seeMessage(tab, text) {
  return tab.page.locator('#log .message > p').getByText(text, { exact: true }).waitFor();
}

export const texts = (tab, selector) => tab.page.locator(selector).allTextContents();
