// Data keys: what files and batches are encrypted with. Each belongs to a relation (its scope) and stands, wrapped by a master key,
// in one small file, which is replaced as a whole. Turning the master key wraps them anew and touches no data; what is written
// from then on has new data keys. Without a data key nothing that was sealed with it can ever be read.
import type { Clock } from '../../core/clock.ts'
import type { Disk } from '../../core/disk.ts'
import { MillraceError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import type { MasterKey, MasterKeys } from './master-key.ts'

export interface DataKey {
  /** 16 bytes, in front of everything that is sealed with it. */
  readonly id: Buffer
  readonly secret: Buffer
  readonly scope: string
}

export interface KeyRing {
  /** The key for what is written now; made, and durable, before it is answered. @throws MR_KEY_MISSING */
  forWriting(scope: string): Promise<DataKey>
  /** The first key that the scope had: for what must stay comparable. Made when there is none. */
  first(scope: string): Promise<DataKey>
  /** `what` is named in the error. @throws MR_KEY_UNKNOWN naming the key */
  byId(id: Uint8Array, what: string): DataKey
  readonly entries: readonly KeyEntry[]
  /** Whether there is a master key. */
  readonly hasMaster: boolean
  /** Wraps all keys with the current master key, and begins a new data key for each scope. Durable when it resolves. */
  rotate(): Promise<{ readonly wrapped: number; readonly begun: number }>
}

export interface KeyEntry {
  readonly id: string
  readonly scope: string
  /** Name of the master key. */
  readonly master: string
  readonly createdMs: number
}

interface Stored extends KeyEntry {
  readonly wrapped: string
}

interface Parts {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  /** Absolute path. */
  readonly path: string
  /** Null: nothing can be sealed or opened, and nothing needs to be. */
  readonly masters: MasterKeys | null
}

const SECRET_BYTES = 32
const ID_BYTES = 16
const aboutOf = ({ id, scope }: Pick<KeyEntry, 'id' | 'scope'>): string => `the data key ${id} of ${scope}`

/**
 * What the file holds, unwrapped as far as the master keys go: a missing one is an error of whoever needs it.
 * @throws MR_KEY_FILE when the file cannot be read, MR_SEAL_DAMAGED when a key was changed
 */
export async function openKeyRing(parts: Parts): Promise<KeyRing> {
  const { disk, clock, random, path, masters } = parts
  let stored = await readStored(disk, path)
  const secrets = new Map<string, Buffer>()
  for (const entry of stored) {
    const master = masters?.find(({ id }) => id === entry.master)
    if (master) secrets.set(entry.id, await master.unwrap(Buffer.from(entry.wrapped, 'base64'), aboutOf(entry)))
  }

  const keyOf = (entry: Stored, what: string): DataKey => {
    const secret = secrets.get(entry.id)
    if (secret) return { id: Buffer.from(entry.id, 'hex'), secret, scope: entry.scope }
    throw unknownKey(what, entry.id, entry.master)
  }

  const mustCurrent = (scope: string): MasterKey => {
    if (masters) return masters[0]
    throw new MillraceError('MR_KEY_MISSING', `${scope} is encrypted and there is no master key`, {
      fix: 'make one with `millrace keys create <file>` and set MILLRACE_KEY_FILE to the file',
    })
  }

  async function store(next: readonly Stored[]): Promise<void> {
    await disk.remove(`${path}.new`)
    await disk.writeNew(`${path}.new`, `${JSON.stringify({ version: 1, keys: next }, null, 1)}\n`)
    // The commit point.
    await disk.rename(`${path}.new`, path)
    await disk.syncDirectory(path.slice(0, path.lastIndexOf('/')))
    stored = next
  }

  async function draft(scope: string, master: MasterKey): Promise<{ entry: Stored; secret: Buffer }> {
    const secret = Buffer.from(random.bytes(SECRET_BYTES))
    const entry = { id: Buffer.from(random.bytes(ID_BYTES)).toString('hex'), scope, master: master.id, createdMs: clock.nowMs() }
    return { entry: { ...entry, wrapped: (await master.wrap(secret, aboutOf(entry))).toString('base64') }, secret }
  }

  async function begin(scope: string): Promise<Stored> {
    const { entry, secret } = await draft(scope, mustCurrent(scope))
    await store([...stored, entry])
    secrets.set(entry.id, secret)
    return entry
  }

  /** One change of the file at a time. */
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(action: () => Promise<T>): Promise<T> => {
    const done = last.then(action)
    last = done.catch(() => {})
    return done
  }

  const found = (scope: string, pick: 'find' | 'findLast'): Stored | undefined => stored[pick]((entry) => entry.scope === scope)
  const orBegun = async (scope: string, pick: 'find' | 'findLast'): Promise<DataKey> =>
    keyOf(found(scope, pick) ?? (await inTurn(async () => found(scope, pick) ?? (await begin(scope)))), scope)

  return {
    forWriting: (scope) => orBegun(scope, 'findLast'),
    first: (scope) => orBegun(scope, 'find'),
    byId(id, what) {
      const hex = Buffer.from(id).toString('hex')
      const entry = stored.find((one) => one.id === hex)
      if (entry) return keyOf(entry, what)
      throw unknownKey(what, hex)
    },
    hasMaster: masters !== null,
    get entries() {
      return stored.map(({ wrapped: _, ...entry }) => entry)
    },
    rotate: () =>
      inTurn(async () => {
        const next: Stored[] = []
        for (const entry of stored) {
          const { secret, scope } = keyOf(entry, entry.scope)
          const master = mustCurrent(scope)
          next.push({ ...entry, master: master.id, wrapped: (await master.wrap(secret, aboutOf(entry))).toString('base64') })
        }
        const begun = await Promise.all([...new Set(stored.map(({ scope }) => scope))].map((scope) => draft(scope, mustCurrent(scope))))
        await store([...next, ...begun.map(({ entry }) => entry)])
        for (const { entry, secret } of begun) secrets.set(entry.id, secret)
        return { wrapped: next.length, begun: begun.length }
      }),
  }
}

/** `master`: the master key that wraps it, and is not there; absent where the key itself is not. */
export function unknownKey(what: string, id: string, master?: string): MillraceError {
  if (master === undefined)
    return new MillraceError('MR_KEY_UNKNOWN', `${what} is sealed with the data key ${id}, which is not in keys.json`, {
      fix: 'restore keys.json from the backup that the data came from',
    })
  return new MillraceError('MR_KEY_UNKNOWN', `${what} is sealed with the data key ${id}, which the master key "${master}" wraps`, {
    fix: `give the master key "${master}" in MILLRACE_KEY_FILE; without it this cannot be read by anybody`,
  })
}

async function readStored(disk: Disk, path: string): Promise<readonly Stored[]> {
  if (!(await disk.stat(path))) return []
  try {
    const read = JSON.parse((await disk.readFile(path)).toString()) as { readonly version: number; readonly keys: readonly Stored[] }
    if (read.version === 1 && Array.isArray(read.keys)) return read.keys
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
  }
  throw new MillraceError('MR_KEY_FILE', `${path} cannot be read`, {
    fix: 'restore it from a backup: without it nothing that is encrypted can be read',
  })
}
