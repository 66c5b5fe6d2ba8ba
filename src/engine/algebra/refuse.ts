// What is not in the closed list of live SQL: one error that names the construct, its position and the nearest form that works.
import { MillraceError } from '../../core/errors.ts'
import type { Node } from '../ast.ts'

export const NEAREST =
  'a live model is: SELECT window_start, column, count(*) FROM tumble(stream, stream.time, INTERVAL 1 MINUTE) [WHERE ...] GROUP BY ALL'

/** @throws MR_PLAN_LIVE_SHAPE; `what` reads on with "is not supported in a live model". */
export function refuse(what: string, node?: Node, nearest: string = NEAREST): never {
  const at = placeIn(node)
  throw new MillraceError('MR_PLAN_LIVE_SHAPE', `${what}${at} is not supported in a live model`, { fix: nearest })
}

/** Null for what is refused: it may be read in another way. */
export function unlessRefused<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if ((error as MillraceError).code === 'MR_PLAN_LIVE_SHAPE') return null
    throw error
  }
}

/** Of the SQL of another live model than the one that is read: places are in the text of `model`. */
export class InModelError extends MillraceError {
  readonly model: string

  constructor(model: string, cause: MillraceError) {
    super(cause.code, `in the SQL of the live model "${model}": ${cause.message}`, {
      cause,
      ...(cause.fix === undefined ? {} : { fix: cause.fix }),
    })
    this.model = model
  }
}

/** @throws InModelError for what is refused in there, of the innermost model. */
export function within<T>(model: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof MillraceError && !(cause instanceof InModelError)) throw new InModelError(model, cause)
    throw cause
  }
}

function placeIn(node: Node | undefined): string {
  // Positions that are not known are the largest integer, as raw JSON where the tree was read verbatim.
  const at = Number(JSON.stringify(node?.query_location, (_key, value) => (typeof value === 'bigint' ? Number(value) : value)))
  return at < 2 ** 31 ? ` (character ${at + 1})` : ''
}
