// What the reader chose for this browser: theme, zone of times, single-key shortcuts. Kept in localStorage; no server state.
import { useSyncExternalStore } from 'react'
import type { Zone } from '../ui/format.ts'

export interface Preferences {
  readonly theme: 'system' | 'light' | 'dark'
  readonly zone: Zone
  readonly shortcuts: boolean
}

const KEY = 'millrace.preferences'
const defaults: Preferences = { theme: 'system', zone: 'UTC', shortcuts: true }
const listeners = new Set<() => void>()

function load(): Preferences {
  try {
    return { ...defaults, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Preferences>) }
  } catch {
    return defaults
  }
}
let current = load()

/** Puts the theme on <html>; 'system' leaves it to the media query. */
export function applyTheme(): void {
  if (current.theme === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = current.theme
}

export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change }
  localStorage.setItem(KEY, JSON.stringify(current))
  applyTheme()
  for (const listener of listeners) listener()
}

export const preferences = (): Preferences => current

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => current,
  )
}
