// Where things are after a relocation: paths below one place are below another, all others stay. Pure; relies on places being
// taken by their text (`location.ts`), so that no path that climbs out by `..` is moved.
import { isBelow, toPath, toUri } from '../location.ts'

export interface Move {
  /** Absolute path or URI of a directory, without a slash at its end. */
  readonly from: string
  readonly to: string
}

/** A plain path, or a URI of an object store, after the move. */
export const movedPath = ({ from, to }: Move, path: string): string => (isBelow(path, from) ? `${to}${path.slice(from.length)}` : path)

/** The same for what metadata says; what does not move stays letter for letter. */
export function movedUri(move: Move, uri: string): string {
  const path = toPath(uri)
  const moved = path === move.from ? move.to : movedPath(move, path)
  return moved === path ? uri : toUri(moved)
}
