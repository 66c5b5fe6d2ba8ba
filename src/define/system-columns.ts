// The columns that Millrace adds, and the relations that come with each stream: `<name>__late` and
// `<name>__rejected`, and `<name>__archive` where rows are archived.
import type { Field, Shape } from '../schema/type.ts'
import type { KafkaSourceManifest, ModelManifest, Relation, StreamManifest, TableManifest } from './manifest.ts'

export const SYSTEM_FIELDS: readonly Field[] = [
  { name: '_partition', type: { kind: 'int' }, optional: false, doc: 'partition of the log' },
  { name: '_offset', type: { kind: 'long' }, optional: false, doc: 'position in the partition' },
  { name: '_ingested_at', type: { kind: 'timestamp' }, optional: false, doc: 'time of arrival, by the clock of the log' },
]

const WATERMARK: Field = { name: '_watermark', type: { kind: 'timestamp' }, optional: false, doc: 'watermark that the row was behind' }

/** Shape of `<stream>__rejected`: the raw line and why it was refused. `raw` is base64 after `base64:` when it is not UTF-8. */
export const REJECTED_SHAPE: Shape = {
  fields: [
    ...SYSTEM_FIELDS,
    { name: 'raw', type: { kind: 'string' }, optional: false },
    { name: 'code', type: { kind: 'string' }, optional: false },
    { name: 'message', type: { kind: 'string' }, optional: false },
    { name: 'field', type: { kind: 'string' }, optional: true },
  ],
}

/** What a model of type 2 has behind the columns of its SQL: when each version was the row of its key. */
export const HISTORY_FIELDS: readonly Field[] = [
  { name: 'valid_from', type: { kind: 'timestamp' }, optional: false, doc: 'when this version of the row was first seen' },
  { name: 'valid_to', type: { kind: 'timestamp' }, optional: true, doc: 'when it was seen no more; null for the current version' },
  { name: 'is_current', type: { kind: 'boolean' }, optional: false, doc: 'whether it is the latest version and still there' },
]

export const lateName = (stream: string): string => `${stream}__late`
export const archiveName = (relation: string): string => `${relation}__archive`
export const rejectedName = (stream: string): string => `${stream}__rejected`

/** Whether rows of this relation come through the log: streams, and keyed tables fed over HTTP or by a topic. */
export const isLogged = (relation: Relation): boolean =>
  relation.kind === 'stream' || (relation.kind === 'table' && (relation.source.kind === 'http' || relation.source.kind === 'kafka'))

/** Whether rows are taken over HTTP: what a processor writes, or a topic brings, has no door. */
export const hasDoor = (relation: Relation): boolean =>
  isLogged(relation) && (relation.kind === 'stream' ? relation.source : (relation as TableManifest).source.kind) === 'http'

/** The topic that a relation is fed by. */
export function topicOf(relation: Relation): KafkaSourceManifest | undefined {
  if (relation.kind === 'stream') return relation.kafka
  return relation.kind === 'table' && relation.source.kind === 'kafka' ? relation.source : undefined
}

/** The shape as stored and queried: a logged relation carries the system columns after its own. */
export const storedShape = (relation: Relation): Shape =>
  isLogged(relation) ? { fields: [...relation.shape.fields, ...SYSTEM_FIELDS] } : relation.shape

export const lateShape = (stream: Pick<StreamManifest, 'shape'>): Shape => ({
  fields: [...stream.shape.fields, ...SYSTEM_FIELDS, WATERMARK],
})

/** A table that a live model may read or look rows up in: it has a key, and the log says what it was when. */
export const isLookedUp = (relation: Relation): relation is TableManifest =>
  relation.kind === 'table' && isLogged(relation) && relation.key.length > 0

/**
 * A relation as live SQL sees it: of a stream its event time, and the columns by which it says that rows are unique; of a table that
 * is read its key. Undefined for what no live model reads.
 */
export function liveShape(
  relation: Relation,
): (Shape & { readonly time: string; readonly unique: readonly string[]; readonly tableKey?: readonly string[] }) | undefined {
  if (relation.kind === 'stream')
    return { ...storedShape(relation), time: relation.time ?? '_ingested_at', unique: relation.dedupe?.by ?? [] }
  return isLookedUp(relation) ? { ...storedShape(relation), time: '_ingested_at', unique: [], tableKey: relation.key } : undefined
}

/** The live models that a live model reads, and those that these read: it stands on their SQL, not on their tables. */
export function liveInputs(relations: readonly Relation[], model: Pick<ModelManifest, 'inputs'>): readonly ModelManifest[] {
  const own = relations.filter(
    (relation): relation is ModelManifest =>
      relation.kind === 'model' && relation.refresh === 'live' && model.inputs.includes(relation.name),
  )
  return [...new Set(own.flatMap((input) => [...liveInputs(relations, input), input]))]
}
