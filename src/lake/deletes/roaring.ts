// Roaring bitmaps of 64 bits in their portable form (RoaringFormatSpec, "Extension for 64-bit implementations"): what a
// deletion vector holds its positions in. Bytes to numbers; that they are undamaged is checked by who calls.

const WITHOUT_RUNS = 12346
const WITH_RUNS = 12347
/** From this many containers on, a bitmap with runs says where each begins. */
const OFFSETS_FROM = 4
/** A container of more is a bitmap, of fewer a list. */
const LIST_MAX = 4096
const BITMAP_BYTES = 8192

/** The positions, ascending. @throws RangeError when the bytes end too early or go on after the last bitmap. */
export function readRoaring(bytes: Buffer): Float64Array {
  const from = new Reader(bytes)
  const parts: Container[] = []
  const bitmaps = Number(from.u64())
  for (let i = 0; i < bitmaps; i++) readBitmap(from, from.u32() * 2 ** 32, parts)
  if (!from.ended) throw new RangeError('bytes follow the last bitmap')
  return flatten(parts)
}

/** Up to 65,536 positions above `base`. */
interface Container {
  readonly base: number
  readonly low: Uint16Array
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length
  }

  take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw new RangeError('the bitmap is cut off')
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }

  u16 = (): number => this.take(2).readUInt16LE(0)
  u32 = (): number => this.take(4).readUInt32LE(0)
  u64 = (): bigint => this.take(8).readBigUInt64LE(0)
}

function readBitmap(from: Reader, high: number, parts: Container[]): void {
  const cookie = from.u32()
  const hasRuns = (cookie & 0xffff) === WITH_RUNS
  if (!hasRuns && cookie !== WITHOUT_RUNS) throw new RangeError(`${cookie} does not begin a bitmap`)
  const count = hasRuns ? (cookie >>> 16) + 1 : from.u32()
  const isRun = hasRuns ? from.take(Math.ceil(count / 8)) : Buffer.alloc(Math.ceil(count / 8))
  const heads = Array.from({ length: count }, () => ({ key: from.u16(), size: from.u16() + 1 }))
  if (!hasRuns || count >= OFFSETS_FROM) from.take(count * 4)
  for (const [i, { key, size }] of heads.entries()) {
    const low = (isRun[i >> 3]! >> (i & 7)) & 1 ? readRuns(from) : size > LIST_MAX ? readBits(from, size) : readList(from, size)
    parts.push({ base: high + key * 65_536, low })
  }
}

const readList = (from: Reader, size: number): Uint16Array => Uint16Array.from({ length: size }, from.u16)

function readBits(from: Reader, size: number): Uint16Array {
  const bits = from.take(BITMAP_BYTES)
  const low = new Uint16Array(size)
  let found = 0
  for (let value = 0; value < 65_536; value++) if ((bits[value >> 3]! >> (value & 7)) & 1) low[found++] = value
  if (found !== size) throw new RangeError(`a container has ${found} positions instead of ${size}`)
  return low
}

function readRuns(from: Reader): Uint16Array {
  const runs = Array.from({ length: from.u16() }, () => ({ start: from.u16(), more: from.u16() }))
  const low = new Uint16Array(runs.reduce((sum, run) => sum + run.more + 1, 0))
  let at = 0
  for (const { start, more } of runs) for (let i = 0; i <= more; i++) low[at++] = start + i
  return low
}

function flatten(parts: readonly Container[]): Float64Array {
  const positions = new Float64Array(parts.reduce((sum, { low }) => sum + low.length, 0))
  let at = 0
  for (const { base, low } of parts) for (const value of low) positions[at++] = base + value
  return positions
}

/** The bytes of `positions`, which ascend. Containers are lists and bitmaps; runs are an option that is not taken. */
export function writeRoaring(positions: Float64Array): Buffer {
  const bitmaps = groupBy(positions, 2 ** 32)
  const parts: Buffer[] = [u64(bitmaps.length)]
  for (const { high, from, to } of bitmaps) parts.push(u32(high), ...bitmapBytes(positions.subarray(from, to), high * 2 ** 32))
  return Buffer.concat(parts)
}

interface Group {
  readonly high: number
  readonly from: number
  readonly to: number
}

/** Stretches of ascending positions with the same quotient. */
function groupBy(positions: Float64Array, size: number, base = 0): Group[] {
  const groups: Group[] = []
  for (let from = 0; from < positions.length; ) {
    const high = Math.floor((positions[from]! - base) / size)
    let to = from + 1
    while (to < positions.length && Math.floor((positions[to]! - base) / size) === high) to++
    groups.push({ high, from, to })
    from = to
  }
  return groups
}

function bitmapBytes(positions: Float64Array, base: number): Buffer[] {
  const groups = groupBy(positions, 65_536, base)
  const containers = groups.map(({ high, from, to }) => containerBytes(positions.subarray(from, to), base + high * 65_536))
  const heads = Buffer.alloc(groups.length * 4)
  const offsets = Buffer.alloc(groups.length * 4)
  let at = 8 + heads.length + offsets.length
  for (const [i, { high, from, to }] of groups.entries()) {
    heads.writeUInt16LE(high, i * 4)
    heads.writeUInt16LE(to - from - 1, i * 4 + 2)
    offsets.writeUInt32LE(at, i * 4)
    at += containers[i]!.length
  }
  return [u32(WITHOUT_RUNS), u32(groups.length), heads, offsets, ...containers]
}

function containerBytes(positions: Float64Array, base: number): Buffer {
  if (positions.length <= LIST_MAX) {
    const list = Buffer.alloc(positions.length * 2)
    for (const [i, position] of positions.entries()) list.writeUInt16LE(position - base, i * 2)
    return list
  }
  const bits = Buffer.alloc(BITMAP_BYTES)
  for (const position of positions) bits[(position - base) >> 3]! |= 1 << ((position - base) & 7)
  return bits
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
