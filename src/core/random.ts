// Chance, behind one interface: the machine's in production, seeded in simulations. Also the ids made from it.

export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  bytes(count: number): Uint8Array
}

export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
}

/** The same sequence for the same seed (mulberry32). Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return { next, bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(next() * 256)) }
}

/** An integer in [0, below). */
export const integer = (random: Random, below: number): number => Math.floor(random.next() * below)

/** A UUID of version 7 (RFC 9562 section 5.7): sorts by time of creation. */
export function uuidV7(nowMs: number, random: Random): string {
  const bytes = random.bytes(16)
  for (let i = 0; i < 6; i++) bytes[i] = Math.floor(nowMs / 2 ** (8 * (5 - i))) & 0xff
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Buffer.from(bytes).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** A positive 62-bit id, as Iceberg snapshots use. */
export function snapshotId(random: Random): bigint {
  const bytes = random.bytes(8)
  const id = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0) & 0x3fff_ffff_ffff_ffffn
  return id === 0n ? 1n : id
}
