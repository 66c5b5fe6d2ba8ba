// Chance that depends on names, not on order: the same seed and name give the same value, however the rows are cut into
// batches and whoever else draws. That is what makes the counts of a replay repeatable.
import { hash } from 'node:crypto'

export interface Chance {
  /** Uniform in [0, 1), always the same for `name`. */
  of(name: string): number
  /** An integer in [0, below). */
  integer(name: string, below: number): number
  /** A UUID of version 8 (RFC 9562: made from other data). */
  uuid(name: string): string
}

export function chanceOf(seed: number): Chance {
  const of = (name: string): number => scatter(name, seed) / 2 ** 32
  return {
    of,
    integer: (name, below) => Math.floor(of(name) * below),
    uuid(name) {
      const hex = hash('sha1', `${seed}/${name}`)
      const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16)
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
    },
  }
}

/** FNV-1a over the name, then the finalizer of MurmurHash3, so that names that differ in one letter are far apart. */
function scatter(name: string, seed: number): number {
  let h = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
