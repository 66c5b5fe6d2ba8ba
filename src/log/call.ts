// One call of `append` on its way: what it brings, where its parts go, and how it is answered.
import { MillraceError } from '../core/errors.ts'
import type { Append, Appended } from './log.ts'
import type { Partition } from './partition.ts'
import type { Placement, Stage } from './stage.ts'

export interface Call {
  readonly topic: string
  readonly parts: readonly Append[]
  readonly partitions: readonly Partition[]
  readonly ifEnds: readonly (readonly [Partition, end: number])[]
  readonly bytes: number
  readonly resolve: (appended: readonly Appended[]) => void
  readonly reject: (error: unknown) => void
}

/** A call whose parts have their places in the group. */
export interface Placed {
  readonly call: Call
  readonly placements: readonly Placement[]
}

/** @throws MR_LOG_MOVED when a partition, with what the group has for it so far, ends elsewhere than the call relies on. */
export function refuseMoved({ ifEnds }: Call, stages: ReadonlyMap<Partition, Stage>): void {
  for (const [partition, wanted] of ifEnds) {
    const end = partition.range.end + (stages.get(partition)?.count ?? 0)
    if (end === wanted) continue
    throw new MillraceError(
      'MR_LOG_MOVED',
      `partition ${partition.number} of ${partition.topic} ends at ${end}, not at ${wanted} any more`,
      {
        fix: 'look at what came and try again',
      },
    )
  }
}

export function settle({ call, placements }: Placed, failures: ReadonlyMap<Partition, unknown>): void {
  const failed = call.partitions.find((partition, number) => placements[number]!.batch && failures.has(partition))
  if (failed) {
    call.reject(failures.get(failed))
    return
  }
  call.resolve(placements.map((placement, number) => toAppended(call.parts[number]!.partition, placement)))
}

function toAppended(partition: number, { batch, first, count, duplicate }: Placement): Appended {
  const absolute = batch ? batch.baseOffset + first : first
  return { partition, first: absolute, last: absolute + count - 1, duplicate }
}
