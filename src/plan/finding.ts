// What is wrong with a project, all of it at once: plain data, printed by the command line and shown by the console.
import type { ErrorCode } from '../core/errors.ts'

export interface Finding {
  readonly code: ErrorCode
  /** An error stops `plan` and `apply`; a warning does not. */
  readonly severity: 'error' | 'warning'
  readonly message: string
  /** The user's file and line, `path:line`, relative to the project. */
  readonly at: string
  /** The next edit or command. */
  readonly fix: string
}

export const hasErrors = (findings: readonly Finding[]): boolean => findings.some((finding) => finding.severity === 'error')
