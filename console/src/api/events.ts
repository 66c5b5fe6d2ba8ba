// The one event stream of the tab (DESIGN section 6): read with fetch, because EventSource sends no Authorization header.
// It says which keys changed; TanStack Query refetches the visible ones, at most once a second. Hidden tabs pause. When it
// breaks, it tries again after 1, 2, 4, ... 30 s, and the shell says so.
import type { QueryClient } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import type { ChangedKey } from '../../../src/serve/answers/session.ts'
import { requestHeaders } from './client.ts'
import { learnServerTime, serverNow } from './clock.ts'
import { touches } from './queries.ts'

export interface Live {
  readonly state: 'connecting' | 'live' | 'cut' | 'paused'
  /** When the last sign of life came, or when the reader paused; server's clock. */
  readonly sinceMs: number
  readonly nextTryMs: number
}

const FIRST_MS = 1000
const LAST_MS = 30_000
const SILENCE_MS = 45_000

let live: Live = { state: 'connecting', sinceMs: 0, nextTryMs: 0 }
let paused = false
let wait: (() => void) | null = null
const listeners = new Set<() => void>()
const waiting = new Map<string, ChangedKey>()

function become(next: Live): void {
  live = next
  for (const listener of listeners) listener()
}

export function useLive(): Live {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => live,
  )
}

/** Ends the wait before the next try. */
export const tryNow = (): void => wait?.()

/** Freezes all figures, or lets them go on. */
export function setPaused(on: boolean): void {
  paused = on
  become({ ...live, state: on ? 'paused' : 'live', sinceMs: serverNow() })
}

function refetch(client: QueryClient): void {
  if (paused || document.hidden || waiting.size === 0) return
  const keys = [...waiting.values()]
  waiting.clear()
  void client.invalidateQueries({ predicate: (query) => keys.some(([kind, name]) => touches(query.queryKey, kind, name)) })
}

function take(block: string): void {
  const data = block
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5))
    .join('')
  if (data === '') return
  const event = JSON.parse(data) as { nowMs: number; keys?: readonly ChangedKey[] }
  learnServerTime(event.nowMs)
  for (const key of event.keys ?? []) waiting.set(key.join(' '), key)
}

/** Reads one connection until it ends. Resolves true when it had been up. */
async function listen(client: QueryClient): Promise<boolean> {
  const abort = new AbortController()
  let silence = setTimeout(() => abort.abort(), SILENCE_MS)
  let up = false
  try {
    const response = await fetch('/admin/events', { headers: { ...requestHeaders(), accept: 'text/event-stream' }, signal: abort.signal })
    if (!response.ok || response.body === null) return false
    if (live.state === 'cut') void client.invalidateQueries()
    up = true
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    become({ state: paused ? 'paused' : 'live', sinceMs: serverNow(), nextTryMs: 0 })
    let rest = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return up
      clearTimeout(silence)
      silence = setTimeout(() => abort.abort(), SILENCE_MS)
      const blocks = (rest + value).split('\n\n')
      rest = blocks.pop() ?? ''
      blocks.forEach(take)
    }
  } catch {
    return up
  } finally {
    clearTimeout(silence)
  }
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      wait = null
      resolve()
    }
    wait = done
  })

/** Runs for the life of the tab. */
export async function followEvents(client: QueryClient): Promise<void> {
  setInterval(() => refetch(client), 1000)
  document.addEventListener('visibilitychange', () => refetch(client))
  let delay = FIRST_MS
  let lastSign = serverNow()
  for (;;) {
    const up = await listen(client)
    if (up) {
      delay = FIRST_MS
      lastSign = serverNow()
    }
    become({ state: 'cut', sinceMs: lastSign, nextTryMs: serverNow() + delay })
    await pause(delay)
    delay = Math.min(delay * 2, LAST_MS)
  }
}
