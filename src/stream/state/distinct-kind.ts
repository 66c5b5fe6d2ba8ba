// About how many distinct values: HyperLogLog with 64 bits of hash and the estimator of Ertl ("New cardinality estimation
// algorithms for HyperLogLog sketches", arXiv:1702.01284, algorithm 6), which needs no tables and no correction for small
// counts. Registers are kept one by one while they are few.
import { murmur2 } from '../../schema/partition-hash.ts'
import type { Type } from '../../schema/type.ts'
import type { Value } from '../value.ts'
import { codecOf } from './codec.ts'
import type { Kind } from './slot.ts'

/** Registers that are not 0, by number. A map while less than an eighth of them are set, then all in an array. */
type Cell = { registers: Map<number, number> | Uint8Array }

const HASH_BITS = 64

export function distinctKind(type: Type, precision: number): Kind<Cell> {
  const codec = codecOf(type)
  const size = 2 ** precision
  return {
    handle: (slot) => ({
      add: (value: Value): void => {
        const { index, rank } = placeOf(codec.textOf(value), precision)
        const cell: Cell = slot.get() ?? { registers: new Map() }
        if (slot.get() === null) slot.set(cell)
        const before = registerOf(cell, index)
        if (rank <= before) return
        slot.onUndo(setRegister, cell, index, before)
        setRegister(cell, index, rank)
        if (cell.registers instanceof Map && cell.registers.size >= size / 8) cell.registers = dense(cell.registers, size)
      },
      get count(): number {
        const cell = slot.get()
        return cell ? Math.round(estimate(histogram(cell, size, HASH_BITS - precision), size, HASH_BITS - precision)) : 0
      },
    }),
    encode: ({ registers }) => (registers instanceof Map ? [...registers] : Buffer.from(registers).toString('base64')),
    decode: (saved) => ({
      registers: typeof saved === 'string' ? new Uint8Array(Buffer.from(saved, 'base64')) : new Map(saved as [number, number][]),
    }),
    sizeOf: ({ registers }) => (registers instanceof Map ? 120 + 40 * registers.size : 120 + size),
  }
}

const registerOf = ({ registers }: Cell, index: number): number =>
  registers instanceof Map ? (registers.get(index) ?? 0) : registers[index]!

function setRegister({ registers }: Cell, index: number, rank: number): void {
  if (!(registers instanceof Map)) registers[index] = rank
  else if (rank === 0) registers.delete(index)
  else registers.set(index, rank)
}

function dense(registers: ReadonlyMap<number, number>, size: number): Uint8Array {
  const all = new Uint8Array(size)
  for (const [index, rank] of registers) all[index] = rank
  return all
}

/** The register of a value and the place of the first 1 among the bits that are left. */
function placeOf(text: string, precision: number): { index: number; rank: number } {
  const bytes = Buffer.from(text)
  const high = mix(murmur2(bytes))
  const low = mix(murmur2(bytes) ^ murmur2(Buffer.from(`${text}\u0000`)) ^ 0x5bd1e995)
  const index = high >>> (32 - precision)
  const rest = (high << precision) >>> 0
  const rank = rest !== 0 ? Math.clz32(rest) + 1 : 32 - precision + (low === 0 ? 33 : Math.clz32(low) + 1)
  return { index, rank }
}

/** The finalizer of MurmurHash3. */
function mix(hash: number): number {
  let h = hash >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function histogram({ registers }: Cell, size: number, bits: number): Int32Array {
  const counts = new Int32Array(bits + 2)
  if (registers instanceof Map) counts[0] = size - registers.size
  for (const rank of registers.values()) counts[rank]!++
  return counts
}

function estimate(counts: Int32Array, size: number, bits: number): number {
  let z = size * tau(1 - counts[bits + 1]! / size)
  for (let rank = bits; rank >= 1; rank--) z = 0.5 * (z + counts[rank]!)
  z += size * sigma(counts[0]! / size)
  return (size * size) / (2 * Math.LN2 * z)
}

function sigma(share: number): number {
  if (share === 1) return Number.POSITIVE_INFINITY
  let [x, y, z] = [share, 1, share]
  for (let before = Number.NaN; z !== before; ) {
    x *= x
    before = z
    z += x * y
    y += y
  }
  return z
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0
  let [x, y, z] = [share, 1, 1 - share]
  for (let before = Number.NaN; z !== before; ) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}
