// Whether what a processor remembers under a name can be read as what is declared there now. Numbers that only say how it is used
// may change (how long a member lives, how fast a rate fades); what it is made of may not.
import type { StateManifest } from './manifest.ts'

/** Settings that what is stored does not depend on. */
const FREE: Readonly<Record<StateManifest['kind'], readonly string[]>> = {
  value: [],
  map: [],
  expiringSet: ['withinMs'],
  window: [],
  ewma: ['windowMs'],
  moments: [],
  top: ['size', 'counters'],
  distinct: [],
  quantiles: [],
  logistic: ['rate', 'decay'],
  regression: ['rate', 'decay'],
}

export function keepsState(before: StateManifest, after: StateManifest): boolean {
  const free = FREE[after.kind]
  const fixed = (state: StateManifest): string =>
    JSON.stringify(
      Object.entries({ scope: 'key', ...state })
        .filter(([name]) => !free.includes(name))
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    )
  return before.kind === after.kind && fixed(before) === fixed(after)
}
