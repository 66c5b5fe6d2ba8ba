// The console's streams: what came in and what became of it, per stream and partition.
import { MillraceError } from '../../core/errors.ts'
import type { Relation, StreamManifest } from '../../define/manifest.ts'
import { isLogged, rejectedName } from '../../define/system-columns.ts'
import { quoteRelation } from '../../engine/sql-text.ts'
import type { PipelineFigures } from '../../observe/figures.ts'
import type { StreamCounts } from '../../stream/materialize.ts'
import type { Caller } from '../answer.ts'
import type { Conservation, Series, StreamDetail, StreamSummary, Streams } from '../answers/streams.ts'
import type { AdminParts } from './parts.ts'
import { mayCount, mayName, mayQuote } from './shown.ts'

const RANGES: Record<string, number> = { '1h': 3_600_000, '24h': 86_400_000, '7d': 604_800_000 }
const POINTS = 180

/** Streams whose figures the caller may see: they count every row. */
const logged = (parts: AdminParts, caller: Caller): Relation[] =>
  parts.manifest().relations.filter((relation) => isLogged(relation) && mayCount(parts, caller, relation.name))

export function streams(parts: AdminParts, caller: Caller): Streams {
  const pipelines = parts.pipelines()
  return {
    nowMs: parts.clock.nowMs(),
    streams: logged(parts, caller).map((relation) => summarizeStream(parts, caller, relation, pipelines)),
  }
}

function summarizeStream(parts: AdminParts, caller: Caller, relation: Relation, pipelines: readonly PipelineFigures[]): StreamSummary {
  const nowMs = parts.clock.nowMs()
  const stream = relation.kind === 'stream' ? relation : null
  const pipeline = pipelines.find((candidate) => candidate.name === `stream:${relation.name}`)
  const watermarks = (pipeline?.inputs ?? []).map(({ watermarkUs }) => watermarkUs)
  const known = watermarks.filter((us) => us !== null)
  const newest = Math.max(...known)
  const rate = parts.series.read(`in:${relation.name}`, nowMs, 60_000, 1, 'sum').values[0]
  return {
    name: relation.name,
    source: stream?.source ?? 'http',
    doc: relation.doc ?? null,
    partitions: pipeline?.inputs.length ?? 1,
    ratePerSecond: rate === null || rate === undefined ? null : rate / 60,
    lagMaxMs: parts.series.read(`lag:stream:${relation.name}`, nowMs, 60_000, 1, 'max').values[0] ?? null,
    watermarkMs: stream?.time && known.length > 0 ? Math.min(...known) / 1_000 : null,
    behind: stream?.time
      ? watermarks.flatMap((us, partition) => (us !== null && newest - us > stream.latenessMs * 1_000 ? [partition] : []))
      : [],
    stopped:
      pipeline?.stopped && !mayQuote(parts, caller, relation.name) ? { ...pipeline.stopped, message: '' } : (pipeline?.stopped ?? null),
    conservation: conservationOf(parts, relation.name, pipeline),
  }
}

const ZERO: StreamCounts = { in: 0, out: 0, late: 0, rejected: 0, deduplicated: 0, skewed: 0, redriven: 0 }

export function conservationOf(parts: AdminParts, stream: string, pipeline: PipelineFigures | undefined): Conservation {
  const counts = pipeline?.counts ?? ZERO
  const pending = (pipeline?.inputs ?? []).reduce(
    (sum, { position, partition }) => sum + Math.max(0, parts.log.range(stream, partition).end - position),
    0,
  )
  const by = counts.in - counts.out - counts.late - counts.rejected - counts.deduplicated
  return {
    sinceMs: null,
    in: counts.in,
    out: counts.out,
    deduplicated: counts.deduplicated,
    late: counts.late,
    rejected: counts.rejected,
    skewed: counts.skewed,
    pending,
    unbalanced: by === 0 ? [] : [{ stream, partition: 0, by }],
  }
}

/** Sum over the streams that the caller may see; null without streams. */
export function totalConservation(parts: AdminParts, caller: Caller): Conservation | null {
  const all = streams(parts, caller).streams.map((stream) => stream.conservation)
  if (all.length === 0) return null
  const sum = (pick: (c: Conservation) => number): number => all.reduce((total, c) => total + pick(c), 0)
  return {
    sinceMs: null,
    in: sum((c) => c.in),
    out: sum((c) => c.out),
    deduplicated: sum((c) => c.deduplicated),
    late: sum((c) => c.late),
    rejected: sum((c) => c.rejected),
    skewed: sum((c) => c.skewed),
    pending: sum((c) => c.pending),
    unbalanced: all.flatMap((c) => c.unbalanced),
  }
}

export async function streamDetail(parts: AdminParts, caller: Caller, name: string, range = '1h'): Promise<StreamDetail> {
  const relation = logged(parts, caller).find((candidate) => candidate.name === name)
  if (!relation && mayName(parts, caller, name))
    throw new MillraceError('MR_ACCESS_DENIED', `figures of ${name} count rows that a policy hides from you`, {
      fix: 'read its rows with SQL',
    })
  if (!relation) throw new MillraceError('MR_NOT_FOUND', `there is no stream "${name}"`, { fix: 'see the list of streams' })
  const rangeMs = RANGES[range]
  if (!rangeMs) throw new MillraceError('MR_USAGE', `"${range}" is not a range`, { fix: `use ${Object.keys(RANGES).join(', ')}` })
  const pipelines = parts.pipelines()
  const pipeline = pipelines.find((candidate) => candidate.name === `stream:${name}`)
  const stream: StreamManifest | null = relation.kind === 'stream' ? relation : null
  return {
    nowMs: parts.clock.nowMs(),
    stream: summarizeStream(parts, caller, relation, pipelines),
    key: stream?.key ?? (relation.kind === 'table' ? relation.key.join(', ') : null),
    time: stream?.time ?? null,
    latenessMs: stream?.latenessMs ?? 0,
    maxSkewMs: stream?.maxSkewMs ?? null,
    at: relation.at,
    owner: relation.owner ?? null,
    series: seriesOf(
      parts,
      name,
      pipelines.filter((reader) => mayName(parts, caller, reader.name.slice(reader.name.indexOf(':') + 1))),
      rangeMs,
    ),
    partitions: (pipeline?.inputs ?? []).map(({ partition, position, committed, watermarkUs: us }) => {
      const { end } = parts.log.range(name, partition)
      const all = pipeline!.inputs.reduce((sum, input) => sum + input.position, 0)
      return {
        partition,
        endOffset: end,
        committedOffset: committed ?? 0,
        watermarkMs: us === null ? null : us / 1_000,
        share: all === 0 ? null : position / all,
      }
    }),
    rejected: await rejectedOf(parts, caller, name),
  }
}

function seriesOf(parts: AdminParts, name: string, pipelines: readonly PipelineFigures[], rangeMs: number): StreamDetail['series'] {
  const nowMs = parts.clock.nowMs()
  const arrived = parts.series.read(`in:${name}`, nowMs, rangeMs, POINTS, 'sum')
  const perSecond = (values: readonly (number | null)[]): (number | null)[] =>
    values.map((value) => (value === null ? null : value / (arrived.stepMs / 1_000)))
  const read = (series: string, how: 'sum' | 'max' | 'last'): (number | null)[] =>
    parts.series.read(series, nowMs, rangeMs, POINTS, how).values
  const readers = pipelines.filter((pipeline) => pipeline.topics.includes(name))
  const partitions = readers.find((pipeline) => pipeline.name === `stream:${name}`)?.inputs ?? []
  return {
    startMs: arrived.startMs,
    stepMs: arrived.stepMs,
    rate: [
      { name: 'in', values: perSecond(arrived.values) },
      { name: 'out', values: perSecond(read(`out:${name}`, 'sum')) },
    ],
    lag: readers.map((reader): Series => ({ name: reader.name, values: read(`lag:${reader.name}`, 'max') })),
    watermark: partitions.map(
      ({ partition }): Series => ({ name: String(partition), values: read(`watermark:${name}:${partition}`, 'last') }),
    ),
  }
}

async function rejectedOf(parts: AdminParts, caller: Caller, name: string): Promise<StreamDetail['rejected']> {
  const rejected = rejectedName(name)
  if (!parts.answerer.access(caller, rejected).readable) return { total: 0, groups: [] }
  const sql = `SELECT code, field, count(*), epoch_ms(min(_ingested_at)), epoch_ms(max(_ingested_at)), left(arg_max(raw, _ingested_at), 200) FROM ${quoteRelation(rejected)} GROUP BY ALL ORDER BY 3 DESC LIMIT 50`
  const { rows } = await parts.answerer.ask(caller, { sql, surface: 'console', rowMax: 50 })
  const groups = rows.map(([code, field, count, first, last, newest]) => ({
    code: String(code),
    field: field as string | null,
    rows: Number(count),
    firstAtMs: Number(first),
    lastAtMs: Number(last),
    newest: newest as string | null,
  }))
  return { total: groups.reduce((sum, group) => sum + group.rows, 0), groups }
}
