// Checkpoint files: the state of a pipeline at a cut of its log, durable before the commit that names it. A file holds only what
// has changed since the one before, and where everything else lies: in files of before, which stay as long as a committed
// checkpoint needs them. PROTOCOL rules 13, 14 and 17. A file is pieces, each compressed, then the head (compressed JSON), its
// length in 4 bytes and `MRC2`. Of a pipeline whose state is encrypted the pieces and the head are sealed (`objects/seal/`) and the
// file ends in `MRC3`. What makes up a state is in `state-tree.ts`.
import { hash } from 'node:crypto'
import { promisify } from 'node:util'
import { zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { DataKey, KeyRing } from '../objects/seal/key-ring.ts'
import { damaged, openPiece, sealPiece } from '../objects/seal/sealed.ts'
import { joinTree, splitTree } from './state-tree.ts'

export interface CheckpointStore {
  /**
   * Writes a new file; answers its location. `state` is a tree of `state-tree.ts`, whose chains continue those of `before`, which may lie
   * at another place: then the file has all of it, and needs nothing from there.
   */
  write(pipeline: string, state: unknown, before: string | null): Promise<string>
  read(location: string): Promise<unknown>
  /**
   * Removes files of the pipeline that were written before the committed one and that it does not need. Those after it are left
   * alone: an owner that was replaced between its commit and this call must not remove what the new owner commits.
   */
  prune(pipeline: string, keep: string): Promise<void>
}

/** Where a piece lies: the file's name in its folder, first byte, bytes, and how many they are once unpacked. */
type Piece = readonly [file: string, start: number, length: number, size: number]

interface Head {
  readonly version: 2
  readonly state: unknown
  /** By number: the blocks of a leaf of bytes. */
  readonly bytes: readonly (readonly string[])[]
  readonly chains: Readonly<Record<string, readonly Piece[]>>
  /** By the hash of their content. */
  readonly blocks: Readonly<Record<string, Piece>>
}

/** Of a UUID of version 7: 48 bits of milliseconds, with a hyphen. */
const TIME_DIGITS = 13
const BLOCK_BYTES = 16 << 10
const MAGIC = Buffer.from('MRC2')
const SEALED = Buffer.from('MRC3')
/** What is left of a file, below which it is moved into the next one. */
const LIVE_MIN = 0.3
/** Bytes of state after which others have their turn. */
const TURN_BYTES = 256 << 10
/** What a byte of the head's text takes of that, and how many bytes can be copied for one. */
const TEXT_COST = 2
const COPY_SHARE = 8
const ENTRIES_AT_ONCE = 512
const [EMPTY, COMMA] = [Buffer.alloc(0), Buffer.from(',')]
const compress = promisify(zstdCompress)
const SUFFIX = '.checkpoint'

/** Collects the pieces of one new file. */
class Draft {
  readonly file: string
  readonly parts: Uint8Array[] = []
  size = 0
  #sinceTurn = 0
  readonly #key: DataKey | null

  constructor(file: string, key: DataKey | null) {
    this.file = file
    this.#key = key
  }

  /** As it goes into the file, at its end. */
  sealed(packed: Uint8Array): Uint8Array {
    return this.#key ? sealPiece(this.#key, this.file, this.size, packed) : packed
  }

  add(content: Uint8Array): Piece {
    return this.addPacked(zstdCompressSync(content), content.length)
  }

  addPacked(packed: Uint8Array, size: number): Piece {
    const stored = this.sealed(packed)
    const piece: Piece = [this.file, this.size, stored.length, size]
    this.parts.push(stored)
    this.size += stored.length
    return piece
  }

  /** A large state is written in many small steps. */
  async turn(bytes: number): Promise<void> {
    this.#sinceTurn += bytes
    if (this.#sinceTurn < TURN_BYTES) return
    this.#sinceTurn = 0
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}

/** Whose state is encrypted, and with what. */
export interface SealedState {
  readonly keys: KeyRing
  /** By pipeline: the scope of its keys, null for state in the clear. */
  scopeOf(pipeline: string): string | null
}

export function openCheckpoints(
  store: ObjectStore,
  clock: Clock,
  random: Random,
  directory: string,
  sealedState: SealedState | null = null,
): CheckpointStore {
  const timeOf = (name: string): string => name.slice(0, TIME_DIGITS)
  const folder = (pipeline: string): string => `${directory}/${pipeline.replaceAll(':', '.')}`
  /** By folder: the head that was written or read last, which is nearly always the one that is asked for next. */
  const heads = new Map<string, readonly [location: string, head: Head]>()
  /** By the folder that it lies in. */
  const isEncrypted = (location: string): boolean => (sealedState?.scopeOf(location.split('/').at(-2)!.replace('.', ':')) ?? null) !== null
  const folderOf = (location: string): string => location.slice(0, location.lastIndexOf('/'))

  async function headOf(location: string): Promise<Head> {
    const known = heads.get(folderOf(location))
    return known?.[0] === location ? known[1] : readHead(location)
  }

  async function readHead(location: string): Promise<Head> {
    const { sizeBytes } = (await store.stat(location)) ?? { sizeBytes: 0 }
    const foot = await store.read(location, { start: Math.max(0, sizeBytes - 8), length: 8 })
    const isSealed = foot.subarray(4).equals(SEALED)
    if (isSealed !== isEncrypted(location))
      throw damaged(location, isSealed ? 'is encrypted, and its pipeline is not' : 'is not encrypted, and its pipeline is')
    if (!isSealed && !foot.subarray(4).equals(MAGIC))
      return earlier(JSON.parse(unpack(await store.read(location)).toString('utf8')), location)
    const length = foot.readUInt32LE(0)
    const start = sizeBytes - 8 - length
    const packed = await store.read(location, { start, length })
    return JSON.parse(unpack(isSealed ? opened(location, start, packed) : packed).toString('utf8')) as Head
  }

  const opened = (location: string, start: number, bytes: Uint8Array): Buffer =>
    openPiece(sealedState!.keys, location.slice(location.lastIndexOf('/') + 1), start, bytes)

  async function content(of: string, pieces: readonly Piece[]): Promise<Map<Piece, Buffer>> {
    const read = new Map<Piece, Buffer>()
    for (const [file, own] of Map.groupBy(pieces, ([file]) => file)) {
      // One read a file: it is kept only while a good part of it is needed.
      const start = own.reduce((least, piece) => Math.min(least, piece[1]), Number.POSITIVE_INFINITY)
      const end = own.reduce((most, piece) => Math.max(most, piece[1] + piece[2]), 0)
      const all = await store.read(`${of}/${file}`, { start, length: end - start })
      for (const piece of own) {
        const stored = all.subarray(piece[1] - start, piece[1] - start + piece[2])
        read.set(piece, isEncrypted(`${of}/`) ? opened(file, piece[1], stored) : stored)
      }
    }
    return read
  }

  return {
    async write(pipeline, state, previous) {
      const own = folder(pipeline)
      await store.makeDirectory(own)
      const before = previous === null ? null : await headOf(previous)
      const { json, bytes, chains } = splitTree(state)
      const scope = sealedState?.scopeOf(pipeline) ?? null
      const key = scope === null ? null : await sealedState!.keys.forWriting(scope)
      const draft = new Draft(`${uuidV7(clock.nowMs(), random)}${SUFFIX}`, key)
      const blocks: Record<string, Piece> = {}
      const leaves: string[][] = []
      for (const leaf of bytes) {
        const keys: string[] = []
        for (let at = 0; at < leaf.length; at += BLOCK_BYTES) {
          const size = Math.min(leaf.length - at, BLOCK_BYTES)
          const known = leaf instanceof Uint8Array || size < BLOCK_BYTES ? undefined : leaf.hashes?.[at / BLOCK_BYTES]
          const written = known === undefined ? undefined : (blocks[known] ?? before?.blocks[known])
          if (written) {
            blocks[known!] = written
            keys.push(known!)
            continue
          }
          const block = leaf instanceof Uint8Array ? leaf.subarray(at, at + size) : leaf.block(at, size)
          const key = hash('sha256', block, 'base64')
          blocks[key] ??= before?.blocks[key] ?? draft.add(block)
          keys.push(key)
          if (!(leaf instanceof Uint8Array) && leaf.hashes && size === BLOCK_BYTES) leaf.hashes[at / BLOCK_BYTES] = key
          await draft.turn(block.length)
        }
        if (!(leaf instanceof Uint8Array)) leaf.release()
        leaves.push(keys)
      }
      const chained: Record<string, Piece[]> = {}
      for (const { $chain: name, base, added } of chains) {
        const pieces = base ? [] : [...(before?.chains[name] ?? [])]
        for (const part of [...(base ?? []), ...added]) {
          pieces.push(draft.add(part))
          await draft.turn(part.length)
        }
        chained[name] = pieces
      }
      await move({ from: previous === null ? own : folderOf(previous), own }, draft, blocks, chained)
      const head: Head = { version: 2, state: json, bytes: leaves, chains: chained, blocks }
      const packed = draft.sealed(await compress(await textOf(head, draft)))
      const foot = Buffer.alloc(8)
      foot.writeUInt32LE(packed.length, 0)
      ;(key ? SEALED : MAGIC).copy(foot, 4)
      const location = `${own}/${draft.file}`
      await store.put(location, await joined([...draft.parts, packed, foot], draft))
      heads.set(own, [location, head])
      return location
    },

    async read(location) {
      const own = folderOf(location)
      try {
        const head = await readHead(location)
        const { blocks, bytes, chains, state } = head
        const found = await content(own, [...Object.values(blocks), ...Object.values(chains).flat()])
        const of = (piece: Piece): Buffer => unpack(found.get(piece)!)
        const joined = joinTree(
          state,
          (n) => Buffer.concat(bytes[n]!.map((key) => of(blocks[key]!))),
          (name) => chains[name]!.map(of),
        )
        heads.set(own, [location, head])
        return joined
      } catch (cause) {
        if (cause instanceof MillraceError && /^MR_(STREAM_STATE|SEAL|KEY)/.test(cause.code)) throw cause
        throw new MillraceError('MR_STREAM_STATE', `checkpoint ${location} cannot be read`, {
          cause,
          fix: 'restore it from a backup, or run `millrace backfill` for the pipeline',
        })
      }
    },

    async prune(pipeline, keep) {
      const own = folder(pipeline)
      const name = keep.slice(own.length + 1)
      const head = await headOf(keep)
      const needed = new Set([name, ...[...Object.values(head.blocks), ...Object.values(head.chains).flat()].map(([file]) => file)])
      for await (const { path } of store.list(own)) {
        const file = path.slice(own.length + 1)
        if (timeOf(file) < timeOf(name) && !needed.has(file)) await store.remove(path)
      }
    },
  }

  /**
   * Pieces of files of which little is left are written again, so that what is stored stays in proportion to the state; and all that
   * lie in another folder than the new file, since a piece is named by its file alone.
   */
  async function move(
    { from, own }: { readonly from: string; readonly own: string },
    draft: Draft,
    blocks: Record<string, Piece>,
    chains: Record<string, Piece[]>,
  ): Promise<void> {
    const live = new Map<string, number>()
    const pieces = [...Object.values(blocks), ...Object.values(chains).flat()]
    for (const [file, , length] of pieces) live.set(file, (live.get(file) ?? 0) + length)
    live.delete(draft.file)
    const little = new Set<string>()
    for (const [file, length] of live) {
      if (from !== own || length < ((await store.stat(`${own}/${file}`))?.sizeBytes ?? 0) * LIVE_MIN) little.add(file)
    }
    if (little.size === 0) return
    const found = await content(
      from,
      pieces.filter(([file]) => little.has(file)),
    )
    const moved = (piece: Piece): Piece => {
      const packed = found.get(piece)
      return packed ? draft.addPacked(packed, piece[3]) : piece
    }
    for (const [key, piece] of Object.entries(blocks)) blocks[key] = moved(piece)
    for (const [name, own] of Object.entries(chains)) chains[name] = own.map(moved)
  }
}

/** As JSON. Of a large state it is megabytes: each block has its entry. */
async function textOf({ bytes, blocks, ...rest }: Head, draft: Draft): Promise<Buffer> {
  const parts: Buffer[] = []
  const list = async <T>(values: readonly T[], print: (value: T) => string): Promise<void> => {
    for (let from = 0; from < values.length; from += ENTRIES_AT_ONCE) {
      const part = Buffer.from(
        values
          .slice(from, from + ENTRIES_AT_ONCE)
          .map(print)
          .join(','),
      )
      parts.push(from === 0 ? EMPTY : COMMA, part)
      await draft.turn(part.length * TEXT_COST)
    }
  }
  const known = JSON.stringify(rest satisfies Omit<Head, 'bytes' | 'blocks'>)
  parts.push(Buffer.from(`${known.slice(0, -1)},"bytes":[`))
  await list(bytes, (keys) => JSON.stringify(keys))
  parts.push(Buffer.from('],"blocks":{'))
  await list(Object.entries(blocks), ([key, piece]) => `${JSON.stringify(key)}:${JSON.stringify(piece)}`)
  parts.push(Buffer.from('}}'))
  return joined(parts, draft)
}

async function joined(parts: readonly Uint8Array[], draft: Draft): Promise<Buffer> {
  const all = Buffer.allocUnsafe(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
    await draft.turn(part.length / COPY_SHARE)
  }
  return all
}

const unpack = (packed: Uint8Array): Buffer => zstdDecompressSync(packed)

/** A file of before there were pieces: all of it is JSON. */
function earlier(read: { readonly version: number; readonly state: unknown }, location: string): Head {
  if (read.version !== 1)
    throw new MillraceError('MR_STREAM_STATE', `checkpoint ${location} has version ${read.version}`, {
      fix: 'run the version of Millrace that wrote it',
    })
  return { version: 2, state: read.state, bytes: [], chains: {}, blocks: {} }
}
