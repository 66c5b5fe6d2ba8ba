// What `millrace-env.d.ts` fills in by module augmentation: row types of models and endpoints, and personal-data tags.
// Empty until the first `millrace check` or `dev`; until then a model's columns are `any`.
import type { Any } from './any.ts'

/** Row type by name of model (`daily_revenue`) and of endpoint (`GET /revenue/:country`). */
// biome-ignore lint/suspicious/noEmptyInterface: filled by module augmentation
export interface MillraceRows {}

/** One property a personal-data tag that the project uses: `masks` must name each. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by module augmentation
export interface MillraceTags {}

/** The generated row type of `N`; `any` until it is generated. */
export type RowNamed<N extends string> = N extends keyof MillraceRows ? MillraceRows[N] : Any
