// The keyboard of the console (DESIGN section 8): `g` then a letter goes to a page, `/` filters, `j k` move along rows,
// `[ ]` along tabs, `.` applies waiting rows, `?` lists all, Ctrl K finds. Single keys can be turned off.
import { preferences } from '../api/preferences.ts'

export const PAGES: Readonly<
  Record<string, { readonly to: '/' | '/data' | '/lineage' | '/streams' | '/runs' | '/sql' | '/dashboards'; readonly name: string }>
> = {
  o: { to: '/', name: 'Overview' },
  d: { to: '/data', name: 'Data' },
  l: { to: '/lineage', name: 'Lineage' },
  s: { to: '/streams', name: 'Streams' },
  r: { to: '/runs', name: 'Runs' },
  q: { to: '/sql', name: 'SQL' },
  b: { to: '/dashboards', name: 'Dashboards' },
}

export const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['Ctrl K', 'find a relation, column, run or page'],
  ...Object.entries(PAGES).map(([key, page]) => [`g ${key}`, `go to ${page.name}`] as const),
  ['j  k', 'next and previous row; Enter opens it'],
  ['[  ]', 'previous and next tab'],
  ['/', 'filter the table'],
  ['.', 'show rows that wait'],
  ['Ctrl Enter', 'run the SQL'],
  ['?', 'this list'],
]

export interface KeyActions {
  readonly go: (to: (typeof PAGES)[string]['to']) => void
  readonly find: () => void
  readonly help: () => void
}

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

function step(selector: string, by: number): HTMLElement | undefined {
  const all = [...document.querySelectorAll<HTMLElement>(selector)].filter((element) => element.offsetParent !== null)
  const at = all.findIndex((element) => element === document.activeElement || element.hasAttribute('data-here'))
  return all[Math.min(all.length - 1, Math.max(0, at + by))]
}

function tab(by: number): void {
  const tabs = [...document.querySelectorAll<HTMLElement>('.tabs a')]
  const at = tabs.findIndex((element) => element.getAttribute('aria-current') === 'page')
  tabs[at + by]?.click()
}

/** Listens until the returned function is called. */
export function listenToKeys(actions: KeyActions): () => void {
  let going = 0
  const press = (event: KeyboardEvent): void => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault()
      actions.find()
      return
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !preferences().shortcuts) return
    const page = PAGES[event.key]
    if (going > event.timeStamp - 1200 && page !== undefined) {
      going = 0
      event.preventDefault()
      actions.go(page.to)
      return
    }
    going = event.key === 'g' ? event.timeStamp : 0
    const act: Record<string, () => void> = {
      '/': () => document.querySelector<HTMLElement>('[data-filter]')?.focus(),
      '?': actions.help,
      '.': () => document.querySelector<HTMLElement>('[data-waiting]')?.click(),
      j: () => step('[data-row]', 1)?.focus(),
      k: () => step('[data-row]', -1)?.focus(),
      '[': () => tab(-1),
      ']': () => tab(1),
    }
    const found = act[event.key]
    if (found === undefined) return
    event.preventDefault()
    found()
  }
  window.addEventListener('keydown', press)
  return () => window.removeEventListener('keydown', press)
}
