// Records for a host: what a delivery holds of use to a processor, and how it is cut so that one record stands alone.
import type { StreamManifest } from '../../define/manifest.ts'
import type { Delivery } from '../delivery.ts'
import type { Round, Skipped, Told } from './host.ts'

export function roundOf(delivery: Delivery, input: StreamManifest, skipped: readonly Skipped[], told: readonly Told[] = []): Round {
  const { partition, batch, classified, offsets, appendMs, controls } = delivery
  return {
    partition,
    batch: { shape: input.shape, rows: batch.rows, columns: batch.columns.slice(0, input.shape.fields.length) },
    offsets,
    appendMs,
    rows: classified.out,
    watermarkUs: classified.outWatermarkUs,
    controls,
    told,
    skipped,
  }
}

/** The records before an offset, the one at it, and those after it, without empty ones; the round itself when it holds none. */
export function cutAround(round: Round, offset: number): Round[] {
  const isThere = round.controls.some((control) => control.offset === offset) || round.rows.some((row) => round.offsets[row] === offset)
  if (!isThere) return [round]
  const parts = [partOf(round, (at) => at < offset), partOf(round, (at) => at === offset), partOf(round, (at) => at > offset)]
  let toldUntilMs = Number.NEGATIVE_INFINITY
  return parts.flatMap((part) => {
    const lastMs = lastArrival(part)
    if (lastMs === null) return []
    const told = part.told.filter(({ appendMs }) => appendMs >= toldUntilMs && appendMs < lastMs)
    toldUntilMs = lastMs
    return [{ ...part, told }]
  })
}

/** When the last record of a round came; null when there is none. */
export function lastArrival({ rows, controls, appendMs }: Pick<Round, 'rows' | 'controls' | 'appendMs'>): number | null {
  if (rows.length + controls.length === 0) return null
  return Math.max(rows.length > 0 ? appendMs[rows.at(-1)!]! : 0, controls.at(-1)?.appendMs ?? 0)
}

/** Offsets rise along a round, so each part is a run of it. */
function partOf(round: Round, isIn: (offset: number) => boolean): Round {
  const kept = [...round.rows.keys()].filter((index) => isIn(round.offsets[round.rows[index]!]!))
  const first = kept[0] ?? 0
  return {
    ...round,
    rows: Int32Array.from(kept, (index) => round.rows[index]!),
    watermarkUs: Float64Array.from(kept, (index) => round.watermarkUs[index]!),
    controls: round.controls
      .filter((control) => isIn(control.offset))
      .map((control) => ({ ...control, before: Math.min(kept.length, Math.max(0, control.before - first)) })),
  }
}
