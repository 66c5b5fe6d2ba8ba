// The open queries and the history of the SQL page, kept in this browser.

export interface QueryTab {
  readonly id: number
  readonly name: string
  readonly text: string
}

export interface SqlDesk {
  readonly tabs: readonly QueryTab[]
  readonly open: number
  /** Texts that ran, newest first. */
  readonly history: readonly string[]
}

const KEY = 'millrace.sql'
const HISTORY = 50
const empty: SqlDesk = { tabs: [{ id: 1, name: 'Query 1', text: '' }], open: 1, history: [] }

export function loadDesk(): SqlDesk {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? 'null') as SqlDesk | null
    return kept !== null && kept.tabs.length > 0 ? kept : empty
  } catch {
    return empty
  }
}

export const keepDesk = (desk: SqlDesk): void => localStorage.setItem(KEY, JSON.stringify(desk))

/** The first comment names a query: '-- Week on week'; otherwise what it reads from. */
export function nameOf(text: string, fallback: string): string {
  const comment = /^\s*--\s*(.{1,24})/.exec(text)?.[1]?.trim()
  const from = /\bfrom\s+([\w."]+)/i.exec(text)?.[1]
  return comment ?? (from === undefined ? fallback : from.replaceAll('"', ''))
}

/** Opens a tab with this text, or goes to the one that has it. An empty open tab is used. */
export function openText(desk: SqlDesk, text: string): SqlDesk {
  const there = desk.tabs.find((tab) => tab.text === text)
  if (there !== undefined) return { ...desk, open: there.id }
  const free = desk.tabs.find((tab) => tab.id === desk.open && tab.text.trim() === '')
  if (free !== undefined) return editText(desk, text)
  const id = Math.max(0, ...desk.tabs.map((tab) => tab.id)) + 1
  return { ...desk, tabs: [...desk.tabs, { id, name: nameOf(text, `Query ${id}`), text }], open: id }
}

export const editText = (desk: SqlDesk, text: string): SqlDesk => ({
  ...desk,
  tabs: desk.tabs.map((tab) => (tab.id === desk.open ? { ...tab, text, name: nameOf(text, `Query ${tab.id}`) } : tab)),
})

export function closeTab(desk: SqlDesk, id: number): SqlDesk {
  const tabs = desk.tabs.filter((tab) => tab.id !== id)
  const kept = tabs.length > 0 ? tabs : empty.tabs
  return { ...desk, tabs: kept, open: desk.open === id ? kept.at(-1)!.id : desk.open }
}

export const remember = (desk: SqlDesk, text: string): SqlDesk => ({
  ...desk,
  history: [text, ...desk.history.filter((one) => one !== text)].slice(0, HISTORY),
})
