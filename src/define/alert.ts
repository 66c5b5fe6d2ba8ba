// `alert`: when to tell somebody, and where. Conditions are failed checks, late data, failed runs, new rows, or SQL.
import type { Duration } from '../core/duration.ts'
import type { CheckSet } from './checks.ts'
import type { Definition } from './definition.ts'
import type { Job } from './job.ts'
import type { ChannelManifest, Text } from './manifest.ts'
import { placeOf } from './place.ts'
import type { Relation } from './relation.ts'
import type { Sink } from './sink.ts'
import type { Sql } from './sql.ts'

export interface LateCondition {
  readonly $when: 'late'
  readonly relation: Relation
}

export interface FailedCondition {
  readonly $when: 'run'
  readonly asset: Relation | Job | Sink
}

export interface AlertHow {
  /** A check set that fails, `late(...)`, `failed(...)`, a relation (any new row), or SQL that gives one boolean. */
  readonly when: CheckSet | Relation | LateCondition | FailedCondition | Sql
  /** It must hold so long. Default: not at all. */
  readonly for?: Duration
  /** How often SQL is asked. Default: every minute. */
  readonly every?: Duration
  readonly to: readonly ChannelManifest[]
}

export interface Alert<N extends string = string> extends Definition<'alert', N> {
  readonly $how: AlertHow
}

/** `relation` misses its freshness target (`fresh`). */
export const late = (relation: Relation): LateCondition => Object.freeze({ $when: 'late', relation })

/** A run of `asset` failed for good, its topic is not read, or the sink does not write. */
export const failed = (asset: Relation | Job | Sink): FailedCondition => Object.freeze({ $when: 'run', asset })

/** A JSON body by POST. */
export const webhook = (url: Text): ChannelManifest => Object.freeze({ kind: 'webhook', url })

/** A Slack incoming webhook. */
export const slack = (url: Text): ChannelManifest => Object.freeze({ kind: 'slack', url })

export function alert<const N extends string>(name: N, how: AlertHow): Alert<N> {
  return Object.freeze({ $kind: 'alert', $name: name, $at: placeOf(alert), $how: how })
}
