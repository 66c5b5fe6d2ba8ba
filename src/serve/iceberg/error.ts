// Errors as clients of the Iceberg catalog know them: our codes to the exception types and statuses of the specification. 409
// says that a commit certainly did not happen, and the client removes its files; 5xx says that nobody knows, and it keeps
// them. So whatever is not known here is 500, never 4xx.
import type { ErrorCode, MillraceError } from '../../core/errors.ts'

const TYPES: Partial<Record<ErrorCode, string>> = {
  MR_LAKE_CONFLICT: 'CommitFailedException',
  MR_LAKE_FENCED: 'CommitFailedException',
  MR_LAKE_TABLE_UNKNOWN: 'NoSuchTableException',
  MR_LAKE_TABLE_EXISTS: 'AlreadyExistsException',
  MR_LAKE_VIEW_UNKNOWN: 'NoSuchViewException',
  MR_LAKE_VIEW_EXISTS: 'AlreadyExistsException',
  MR_LAKE_NAMESPACE_UNKNOWN: 'NoSuchNamespaceException',
  MR_LAKE_NAMESPACE_EXISTS: 'AlreadyExistsException',
  MR_LAKE_NAMESPACE_FULL: 'NamespaceNotEmptyException',
  MR_LAKE_UPDATE: 'IllegalArgumentException',
  MR_LAKE_METADATA_MISSING: 'NotFoundException',
  MR_LAKE_WAREHOUSE_UNKNOWN: 'NoSuchWarehouseException',
  MR_LAKE_IDEMPOTENCY: 'UnprocessableEntityException',
  MR_LAKE_SAME_KEY: 'UnprocessableEntityException',
}

const BY_STATUS: Readonly<Record<number, string>> = {
  400: 'BadRequestException',
  401: 'NotAuthorizedException',
  403: 'ForbiddenException',
  404: 'NotFoundException',
  503: 'ServiceUnavailableException',
}

export interface IcebergError {
  readonly error: { readonly message: string; readonly type: string; readonly code: number; readonly stack: readonly string[] }
}

/** Clients and their tests go by the words of the protocol's own refusals; with any other goes what to do about it. */
export function icebergError({ code, status, message, fix }: MillraceError): IcebergError {
  const known = TYPES[code]
  const type = known ?? BY_STATUS[status] ?? (status < 500 ? 'BadRequestException' : 'InternalServerError')
  const text = known !== undefined || fix === undefined ? message : `${message} (${fix})`
  return { error: { message: text, type, code: status, stack: [] } }
}
