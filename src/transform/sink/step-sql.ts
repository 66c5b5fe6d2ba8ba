// The messages of a step as SQL: rows that were added, and of keyed ones the keys that went. In an order that is the same whenever it is
// asked, so that a sink can go on in the middle.
import type { SinkManifest } from '../../define/manifest.ts'
import { scanSql } from '../../engine/scan.ts'
import { quoteName } from '../../engine/sql-text.ts'
import { contentKey } from '../../lake/deletes/with-deletes.ts'
import type { Lease } from '../../lake/lease.ts'
import type { Lake } from '../../lake/open-lake.ts'
import type { DataFile, LakeTable } from '../../lake/types.ts'
import type { Shape } from '../../schema/type.ts'
import { filesAt, notRetained } from '../changed-rows.ts'
import type { Step } from './step.ts'

export interface StepParts {
  readonly lake: Lake
  readonly lease: Lease
}

export interface StepOf {
  readonly table: LakeTable
  /** Of the relation as stored, with the system's columns. */
  readonly stored: Shape
  /** What makes its rows unique, if anything does. */
  readonly unique: readonly string[]
  readonly sink: Pick<SinkManifest, 'key' | 'shape'>
}

const LOG_ORDER = ['_ingested_at', '_partition', '_offset']

/** Columns of the result: `__gone`, those of the value, `__key_` with a number for those of the key. Null when nothing changed. */
export async function stepSql({ lake, lease }: StepParts, of: StepOf, from: string | null, step: Step): Promise<string | null> {
  const { table, stored, sink, unique } = of
  const before = from === null ? [] : ((await filesAt(lake, table, BigInt(from))) ?? [])
  const now = await lake.files(table, step.to)
  const [beforeKeys, nowKeys] = [new Set(before.map(contentKey)), new Set(now.map(contentKey))]
  const added = now.filter((file) => !beforeKeys.has(contentKey(file)))
  const removed = before.filter((file) => !nowKeys.has(contentKey(file)))
  if (added.length === 0 && removed.length === 0) return null
  const scan = async (files: readonly DataFile[]): Promise<string> =>
    scanSql({ table, files: await lease.local(files), tails: [], shape: stored })
  const [plus, minus] = [await scan(added), await scan(removed)]
  const fresh = removed.length === 0 ? plus : `((${plus}) EXCEPT ALL (${minus}))`
  const select = (isGone: boolean, rows: string): string => {
    const value = sink.shape.fields.map(({ name }) => quoteName(name))
    const key = sink.key.map((name, index) => `${quoteName(name)} AS __key_${index}`)
    return `SELECT ${isGone} AS __gone, ${[...orderColumns(stored), ...value, ...key].join(', ')} FROM (${rows})`
  }
  const parts = [select(false, fresh)]
  if (sink.key.length > 0 && removed.length > 0) {
    const gone = `SELECT * FROM ((${minus}) EXCEPT ALL (${plus})) WHERE ${notRetained(table)}`
    const isSame = sink.key.map((name) => `o.${quoteName(name)} IS NOT DISTINCT FROM n.${quoteName(name)}`).join(' AND ')
    // Where the key says which row it is, a key that no new row has is in no other row either.
    const isUnique = unique.length > 0 && unique.every((name) => sink.key.includes(name))
    const left = isUnique ? fresh : await scan(now)
    parts.push(
      select(
        true,
        `SELECT DISTINCT ON (${sink.key.map((name) => `o.${quoteName(name)}`).join(', ')}) o.* FROM (${gone}) AS o ANTI JOIN (${left}) AS n ON ${isSame} ORDER BY ALL`,
      ),
    )
  }
  const order = orderColumns(stored).map((_, index) => `__order_${index}`)
  const columns = [...sink.shape.fields.map(({ name }) => quoteName(name)), ...sink.key.map((_, index) => `__key_${index}`)]
  return `SELECT __gone, ${columns.join(', ')} FROM (${parts.join(' UNION ALL ')}) AS t(${['__gone', ...order, ...columns].join(', ')})
    ORDER BY ${[...order, ...columns, '__gone'].join(', ')}`
}

/** Where the log says what came before, that is the order. */
const orderColumns = ({ fields }: Shape): readonly string[] => LOG_ORDER.filter((name) => fields.some((field) => field.name === name))
