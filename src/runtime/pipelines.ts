// The pipelines of a manifest: one for each logged relation, each processor and each live model, independent of one another.
import { createHash } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import type { Scratch } from '../core/scratch.ts'
import type { Manifest, ModelManifest, ProcessorManifest, Relation, StreamManifest } from '../define/manifest.ts'
import { isLogged, isLookedUp, liveInputs, liveShape, storedShape } from '../define/system-columns.ts'
import { columnsRead } from '../engine/algebra/columns-read.ts'
import { readLive } from '../engine/algebra/read-live.ts'
import { inputsOf, type LiveQuery, type Relation as Operation } from '../engine/algebra/relation.ts'
import type { ShapeOf } from '../engine/algebra/source.ts'
import type { Node, SqlParser } from '../engine/ast.ts'
import { rowComputer } from '../engine/compute-rows.ts'
import type { Engine } from '../engine/duckdb.ts'
import { readHistory } from '../engine/history.ts'
import type { RelationStore } from '../engine/relations.ts'
import { inlineConstants } from '../engine/sql-text.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { Shape } from '../schema/type.ts'
import { Live } from '../stream/live.ts'
import { Materialize } from '../stream/materialize.ts'
import { Pipeline } from '../stream/pipeline.ts'
import type { PipelineParts } from '../stream/pipeline-settings.ts'
import type { ProcessorHost } from '../stream/processor/host.ts'
import { Process } from '../stream/processor/process.ts'
import type { OpenHistory } from '../stream/replay.ts'
import { compileRowChecks } from '../stream/row-checks.ts'
import type { Sink } from '../stream/sink.ts'
import type { SourceState } from '../stream/source.ts'
import { StreamSource } from '../stream/source.ts'
import { partitionsOf } from './deploy.ts'
import type { Settings } from './settings.ts'

export interface RunningPipeline {
  readonly pipeline: Pipeline
  readonly sink: Sink
  /** The relation that it makes. */
  readonly makes: string
}

export interface PipelinesParts extends PipelineParts {
  readonly relations: RelationStore
  readonly engine: Engine
  readonly parser: SqlParser
  readonly settings: Settings
  /** Where the code of a processor runs. */
  readonly hostOf: (processor: ProcessorManifest, input: StreamManifest, outputs: readonly StreamManifest[]) => ProcessorHost
  /** Where the state of a live model goes that has no room in its memory. */
  readonly scratchOf: (model: ModelManifest) => Scratch
}

const hash = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)

export async function makePipelines(parts: PipelinesParts, manifest: Manifest): Promise<RunningPipeline[]> {
  const streams = manifest.relations.filter(isLogged)
  const processors = manifest.processors.map((processor) => processPipeline(parts, manifest, processor))
  const live: RunningPipeline[] = []
  for (const relation of manifest.relations)
    if (relation.kind === 'model' && relation.refresh === 'live') live.push(await livePipeline(parts, manifest, relation))
  return [...streams.map((relation) => materializePipeline(parts, manifest, relation as StreamManifest)), ...processors, ...live]
}

interface Built {
  readonly name: string
  readonly topics: readonly StreamManifest[]
  /** Of topics of which not every column is read. */
  readonly read?: ReadonlyMap<string, Shape>
  readonly code: string
  readonly makes: string
  readonly sink: Sink
  readonly owner?: string
  readonly openHistory?: OpenHistory
}

function build(
  parts: PipelinesParts,
  manifest: Manifest,
  { name, topics, read, code, makes, sink, owner, openHistory }: Built,
): RunningPipeline {
  const { flushMs, flushBytes, readBytes } = parts.settings
  const sources = topics.map((topic) => sourceOf(parts, manifest, topic, read?.get(topic.name)))
  const pipeline = new Pipeline(
    { name, code, flushMs, flushBytes, readBytes, ...(owner ? { owner } : {}) },
    parts,
    sources,
    sink,
    openHistory,
  )
  return { pipeline, sink, makes }
}

function sourceOf(parts: PipelinesParts, manifest: Manifest, topic: StreamManifest, shape = topic.shape): StreamSource {
  // A row of a keyed table replaces the one before, whenever it comes: it is never late.
  const latenessMs = isKeyed(topic) ? Number.POSITIVE_INFINITY : topic.latenessMs
  const relation = topic as Relation
  const tableKey = isLookedUp(relation) ? { tableKey: relation.key } : {}
  const stream = { ...topic, shape, partitions: partitionsOf(topic), latenessMs, ...tableKey }
  return new StreamSource(parts.log, stream, compileScanner(topic.shape), compileRowChecks(manifest.checks, topic.name, shape))
}

/** Of a logged relation, which it puts into its tables. */
const materializeName = (topic: string): string => `stream:${topic}`

const isKeyed = (topic: { readonly kind: string }): boolean => topic.kind === 'table'

function materializePipeline(parts: PipelinesParts, manifest: Manifest, relation: StreamManifest): RunningPipeline {
  const { name, shape, key } = relation
  const keyed = isKeyed(relation)
  const canLose = isLookedUp(relation as Relation)
  const sink = new Materialize({ name, shape, keyed, canLose, ...(keyed || key === undefined ? {} : { key }) }, parts.relations)
  return build(parts, manifest, { name: materializeName(name), topics: [relation], code: hash(shape), makes: name, sink })
}

function streamOf(manifest: Manifest, name: string): StreamManifest {
  const stream = manifest.relations.find((relation) => relation.name === name && relation.kind === 'stream')
  if (!stream) throw new MillraceError('MR_PLAN_UNKNOWN', `there is no stream "${name}"`, { fix: 'run `millrace check`' })
  return stream as StreamManifest
}

function processPipeline(parts: PipelinesParts, manifest: Manifest, processor: ProcessorManifest): RunningPipeline {
  const input = streamOf(manifest, processor.from)
  const { name } = processor
  const outputs = [name, ...Object.values(processor.outputs ?? {})].map((output) => streamOf(manifest, output))
  const { clock, log } = parts
  const broadcast = new Map(
    Object.entries(processor.broadcast ?? {}).map(([name, table]) => {
      const topic = manifest.relations.find((relation) => relation.name === table)! as unknown as StreamManifest
      return [name, () => sourceOf(parts, manifest, topic)]
    }),
  )
  const sink = new Process({ clock, log, processor, input, outputs, host: parts.hostOf(processor, input, outputs), broadcast })
  return build(parts, manifest, { name: `process:${name}`, topics: [input], code: hash(processor), makes: name, sink })
}

/** The query of a live model as its pipeline runs it. */
export async function compileModel(
  { parser, engine }: Pick<PipelinesParts, 'parser' | 'engine'>,
  manifest: Manifest,
  model: ModelManifest,
): Promise<LiveQuery> {
  const statement = await parser.parse(inlineConstants(model.sql))
  const shapeOf: ShapeOf = (name) => {
    const relation = manifest.relations.find((candidate) => candidate.name === name)
    return relation && liveShape(relation)
  }
  const models = new Map<string, Node>()
  for (const { name, sql } of liveInputs(manifest.relations, model)) models.set(name, (await parser.parse(inlineConstants(sql))).node)
  return readLive(statement.node, shapeOf, { parser, typeOf: (select) => typeOf(engine, select), models })
}

/** A changed definition is a new pipeline: it goes through the history of its streams, and replaces the table's rows then. */
async function livePipeline(parts: PipelinesParts, manifest: Manifest, model: ModelManifest): Promise<RunningPipeline> {
  const query = await compileModel(parts, manifest, model)
  // What is read of a table is what a stream has too.
  const topics = query.streams.map((topic) => manifest.relations.find(({ name }) => name === topic) as StreamManifest)
  const code = hash([query, model.shape])
  const owner = `live:${model.name}`
  const name = `${owner}@${code}`
  const read = new Map(topics.map((topic) => [topic.name, shapeRead(manifest, query, topic)]))
  const shapes = new Map(topics.map((topic) => [topic.name, storedShape({ ...topic, shape: read.get(topic.name)! })]))
  const shapeOf = (stream: string): Shape => shapes.get(stream)!
  const sink = new Live(model, query, shapeOf, parts.relations, rowComputer(parts.engine), parts.scratchOf(model))
  return build(parts, manifest, {
    name,
    topics,
    read,
    code,
    makes: model.name,
    sink,
    owner,
    openHistory: historyOf(parts, lookedUp(query.root)),
  })
}

/** Of the one column of a SELECT. */
async function typeOf(engine: Engine, select: string): Promise<string> {
  const session = await engine.session()
  try {
    const { rows } = await session.rows(`DESCRIBE ${select}`)
    return String(rows[0]![1])
  } finally {
    session.close()
  }
}

/** What a live model needs of a stream's rows: the columns that it names and those that decide which rows are out. */
function shapeRead({ checks }: Manifest, query: LiveQuery, { name, shape, time, dedupe }: StreamManifest): Shape {
  const isChecked = checks.some((set) => set.on === name && set.checks.some(({ severity }) => severity === 'quarantine'))
  const read = new Set([...columnsRead(query), ...(time === undefined ? [] : [time]), ...(dedupe?.by ?? [])])
  return isChecked ? shape : { fields: shape.fields.filter((field) => read.has(field.name)) }
}

/** Tables that rows of streams find their versions in. */
function lookedUp(relation: Operation): ReadonlySet<string> {
  const own = relation.op === 'join' && relation.on.kind === 'lookup' ? [relation.on.table] : []
  return new Set([...own, ...inputsOf(relation).flatMap((input) => [...lookedUp(input)])])
}

/** A stream as its own pipeline has committed it: rows, offsets and watermarks belong to one commit. */
const historyOf =
  ({ catalog, checkpoints, lake, engine }: PipelinesParts, versioned: ReadonlySet<string>): OpenHistory =>
  async ({ topic, stream, positions }) => {
    const isVersioned = versioned.has(topic)
    // The log tells all versions of a table that it still has: the rows before it are those that nothing has replaced since.
    if (isVersioned && positions[0] === 0) return null
    const progress = () => catalog.progress(materializeName(topic))
    let { offsets, checkpoint } = await progress()
    if (offsets.length === 0) return null
    let saved: { readonly sources?: Readonly<Record<string, SourceState>> } | undefined
    while (checkpoint && saved === undefined) {
      const { location }: { readonly location: string } = checkpoint
      try {
        saved = (await checkpoints.read(location)) as { readonly sources?: Readonly<Record<string, SourceState>> }
      } catch (error) {
        // The stream goes on meanwhile: each of its commits removes the checkpoint before.
        ;({ offsets, checkpoint } = await progress())
        if (checkpoint?.location === location) throw error
      }
    }
    const committed = Array.from(
      { length: stream.partitions },
      (_, index) => offsets.find(({ partition }) => partition === index)?.next ?? 0,
    )
    const below = isVersioned ? positions.slice() : committed
    // Read after the offsets: what the table has beyond them is left to the log.
    const table = await lake.table(topic)
    const rows = readHistory({ engine, lake }, { table, shape: stream.shape, below })
    return { topic, offsets: below, state: saved?.sources?.[topic] ?? null, rows }
  }
