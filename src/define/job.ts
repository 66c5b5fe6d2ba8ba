// `job`: a group of models and file loads that run together, and when. A model without a job refreshes when its inputs
// commit.

import type { Duration } from '../core/duration.ts'
import type { Any } from './any.ts'
import type { Definition } from './definition.ts'
import { placeOf } from './place.ts'
import type { Relation } from './relation.ts'

export interface JobHow {
  readonly run: readonly Relation<string, Any, 'model' | 'table'>[]
  /** Five fields, in `zone`. */
  readonly cron?: string
  readonly every?: Duration
  /** IANA zone, such as `'Europe/London'`. Default UTC. */
  readonly zone?: string
  /** Default: 2 times after 30 seconds. */
  readonly retry?: { readonly times: number; readonly wait: Duration }
  readonly timeout?: Duration
}

export interface Job<N extends string = string> extends Definition<'job', N> {
  readonly $how: JobHow
}

export function job<const N extends string>(name: N, how: JobHow): Job<N> {
  return Object.freeze({ $kind: 'job', $name: name, $at: placeOf(job), $how: how })
}
