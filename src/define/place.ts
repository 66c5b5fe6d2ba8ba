// Where a definition stands in the user's files. It comes from a stack trace, so importing a project needs no compiler
// plugin. Node's type stripping keeps lines and columns.
import { fileURLToPath } from 'node:url'

/**
 * `path:line` of the code that called `called`, which must be a function on the stack: the path absolute, as Node loaded
 * it. Empty when the engine gives none.
 */
export function placeOf(called: (...args: never[]) => unknown): string {
  const holder: { stack?: string } = {}
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 1
  Error.captureStackTrace(holder, called)
  const trace = holder.stack ?? ''
  Error.stackTraceLimit = limit
  const match = /\(?((?:file:\/\/)?\/[^\n]*?|[A-Za-z]:\\[^\n]*?)(?:\?[^\n:]*)?:(\d+):\d+\)?$/.exec(trace)
  if (!match) return ''
  const path = match[1]!.slice(match[1]!.lastIndexOf('(') + 1)
  return `${path.startsWith('file:') ? fileURLToPath(path) : path}:${match[2]}`
}
