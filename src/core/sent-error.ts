// Errors between threads: what is told to users goes along, and is the same error on the other side.
import { type ErrorCode, MillraceError } from './errors.ts'

export interface SentError {
  readonly code: ErrorCode
  readonly message: string
  readonly fix: string | undefined
}

export const sentError = ({ code, message, fix }: MillraceError): SentError => ({ code, message, fix })

export const receivedError = ({ code, message, fix }: SentError): MillraceError =>
  new MillraceError(code, message, fix === undefined ? {} : { fix })
