// The server's clock in the browser: every answer carries `nowMs`, ages tick locally between answers. Nothing else in the
// console reads the browser's clock.
import { useSyncExternalStore } from 'react'

let offsetMs = 0
let known = false
let tick = 0
const listeners = new Set<() => void>()

/** Learns the server's time. Small corrections are ignored so that ages do not jump. */
export function learnServerTime(nowMs: number): void {
  const offset = nowMs - Date.now()
  if (known && Math.abs(offset - offsetMs) < 1500) return
  offsetMs = offset
  known = true
}

export const serverNow = (): number => Date.now() + offsetMs

setInterval(() => {
  if (document.hidden) return
  tick++
  for (const listener of listeners) listener()
}, 1000)

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The server's time, again each second. */
export function useNow(): number {
  useSyncExternalStore(subscribe, () => tick)
  return serverNow()
}
