// Keys of encrypted Parquet files in the engine. Files that are written together share one, derived from the table's data key and a
// salt that each file's manifest entry has; it stands in the SQL that reads them. DuckDB makes nonces by a generator that it does
// not call secure: a key is used for one statement alone, and no nonce may occur twice under it, which is looked at after each.
import { MillraceError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import { scopeOf } from '../lake/encrypted.ts'
import type { Unlock } from '../lake/lease.ts'
import { isNestedType, partsOf } from '../lake/nested-type.ts'
import type { DataFile, FileField, FileSeal, LakeField, LakeTable } from '../lake/types.ts'
import { inParallel } from '../objects/parts.ts'
import type { DataKey, KeyRing } from '../objects/seal/key-ring.ts'
import { damaged, deriveKey } from '../objects/seal/sealed.ts'
import type { Session } from './duckdb.ts'
import { readModules } from './parquet-modules.ts'

const SALT_BYTES = 16
const AT_ONCE = 8
/** Files whose parts were found in their places since the start. */
const KNOWN_MAX = 100_000

export interface WritingKey extends Pick<FileSeal, 'key' | 'salt'> {
  readonly fileKey: string
}

/** A key for the files of one statement; null for a table that is not encrypted. @throws MR_KEY_MISSING */
export async function keyForWriting({ keys }: Session, table: LakeTable): Promise<WritingKey | null> {
  const scope = scopeOf(table)
  if (scope === null) return null
  if (!keys) throw new MillraceError('MR_KEY_MISSING', `${table.name} is encrypted, and there are no keys here`)
  const data = await keys.forWriting(scope)
  const salt = Buffer.from(systemRandom.bytes(SALT_BYTES)).toString('hex')
  return { key: data.id.toString('hex'), salt, fileKey: fileKeyOf(data, salt) }
}

const fileKeyOf = (data: DataKey, salt: string): string => deriveKey(data, Buffer.from(salt, 'hex'), 'millrace parquet').toString('base64')

/** The files of one statement with their seals. */
export async function sealWritten(files: readonly DataFile[], fields: readonly LakeField[], written: WritingKey): Promise<DataFile[]> {
  const { key, salt, fileKey } = written
  const names = fields.some(({ type }) => isNestedType(type)) ? { names: namesOf(fields) } : {}
  const seen = new Set<string>()
  const sealed: DataFile[] = []
  for (const file of files) {
    const { digest, nonces } = await readModules(file.path)
    const before = seen.size
    for (const nonce of nonces) seen.add(nonce)
    if (seen.size !== before + nonces.length)
      throw new MillraceError('MR_ENGINE', `DuckDB used a nonce twice while it wrote ${file.path}`, { fix: 'write the rows again' })
    sealed.push({ ...file, seal: { key, salt, digest, ...names }, fileKey })
  }
  return sealed
}

const namesOf = (fields: readonly LakeField[]): FileField[] =>
  fields.map(({ id, name, type }) => ({ id, name, inner: namesOf(partsOf(type)) }))

/** See `Unlock`: each file is looked through once. */
export function fileUnlocker(keys: KeyRing): Unlock {
  const known = new Set<string>()
  return async (files) => {
    if (known.size + files.length > KNOWN_MAX) known.clear()
    const open = new Map<string, string>()
    const unlocked = files.map((file) => {
      const { key, salt } = file.seal!
      const fileKey = open.get(salt) ?? fileKeyOf(keys.byId(Buffer.from(key, 'hex'), file.path), salt)
      open.set(salt, fileKey)
      return { ...file, fileKey }
    })
    await inParallel(files, (file) => mustBeInPlace(file, known), AT_ONCE)
    return unlocked
  }
}

async function mustBeInPlace({ path, seal }: DataFile, known: Set<string>): Promise<void> {
  const name = `${path} ${seal!.digest}`
  if (known.has(name)) return
  if ((await readModules(path)).digest !== seal!.digest) throw damaged(path, 'has parts that were moved or changed')
  known.add(name)
}
