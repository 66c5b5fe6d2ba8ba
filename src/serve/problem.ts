// Errors on the wire: `application/problem+json` (RFC 9457) with our code, detail and fix; never an engine's own text.
import { ERRORS, type MillraceError } from '../core/errors.ts'

export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly fix?: string
  readonly at?: string
}

export const PROBLEM_TYPE = 'application/problem+json'

export function problemOf(error: MillraceError): Problem {
  return {
    type: 'about:blank',
    title: ERRORS[error.code].summary,
    status: error.status,
    code: error.code,
    detail: error.message,
    ...(error.fix === undefined ? {} : { fix: error.fix }),
    ...(error.at === undefined ? {} : { at: error.at }),
  }
}

/** Headers that go with some errors. */
export function problemHeaders(error: MillraceError): Record<string, string> {
  if (error.status === 429 || error.status === 503) return { 'retry-after': '1' }
  if (error.status === 401) return { 'www-authenticate': 'Bearer realm="millrace"' }
  return {}
}
