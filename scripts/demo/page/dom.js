// Small helpers around the document. Text goes in as text, never as HTML.

export const $ = id => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Seconds since 1970, as the scripts give them, to a time of day.
export function clock(seconds) {
  const date = new Date(seconds * 1000);
  return date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
}

export function timeElement(seconds) {
  const time = element('time', '', clock(seconds));
  time.dateTime = new Date(seconds * 1000).toISOString();
  return time;
}

// Appends to a list of at most `most` items and stays at its end if the reader was there.
export function append(list, item, most = 200) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.querySelector('.empty')?.remove();
  list.append(item);
  while (list.children.length > most) list.firstElementChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

export function prepend(list, item, most = 50) {
  list.querySelector('.empty')?.remove();
  list.prepend(item);
  while (list.children.length > most) list.lastElementChild.remove();
}

// navigator.clipboard exists on https and localhost only; elsewhere the text is selected instead.
async function copyText(source) {
  if (navigator.clipboard) return navigator.clipboard.writeText(source.textContent);
  getSelection().selectAllChildren(source);
}

export function wireCopyButtons() {
  for (const button of document.querySelectorAll('[data-copy]')) {
    const label = button.textContent;
    button.setAttribute('aria-describedby', button.dataset.copy);
    button.addEventListener('click', async () => {
      await copyText($(button.dataset.copy));
      button.textContent = navigator.clipboard ? 'Copied' : 'Selected';
      setTimeout(() => { button.textContent = label; }, 1500);
    });
  }
}
