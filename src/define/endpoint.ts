// `endpoint`: a REST route over SQL. The path's parameters must be declared; results are typed by `millrace-env.d.ts`.

import type { Kind } from '../schema/type.ts'
import type { Role } from './access.ts'
import type { Any, NoFields } from './any.ts'
import type { Definition } from './definition.ts'
import type { Field, Fields, RowOf } from './field.ts'
import { placeOf } from './place.ts'
import type { RowNamed } from './rows.ts'
import type { Param, Sql } from './sql.ts'

/** The names behind the colons of a path. */
export type PathParams<P extends string> = P extends `${string}:${infer K}/${infer Rest}`
  ? K | PathParams<`/${Rest}`>
  : P extends `${string}:${infer K}`
    ? K
    : never

export type ParamsOf<P extends Fields> = { readonly [K in keyof P]: Param<P[K]['$type'], P[K]['$optional'], P[K]['$of'] & Kind> }

export interface EndpointHow<P extends Fields> {
  readonly params: P
  readonly doc?: string
  /** Roles that may call it; absent: administrators only. */
  readonly allow?: readonly Role[]
  /** Results are also sent as they change (`Accept: text/event-stream`). */
  readonly live?: boolean
  /** Pages by keyset: columns of the result that order it totally. */
  readonly page?: { readonly by: string | readonly string[]; readonly size?: number }
  /** Called once, when the project is compiled; parameters are bound values, never text. */
  readonly sql: (params: ParamsOf<P>) => Sql
}

/** A route; `N` is also the name of its rows in `millrace-env.d.ts`. */
export interface Endpoint<N extends string = string, P = Any, R = Any> extends Definition<'endpoint', N> {
  readonly $params: Fields
  readonly $how: EndpointHow<Any>
  /** Type only: what a client sends. */
  readonly $input: P
  /** Type only: a row of the result. */
  readonly $row: R
}

type Declares<N extends string> = Readonly<Record<PathParams<N>, Field>>

/** `endpoint('GET /revenue/:country', ...)` is served at `/api/revenue/...`. */
export function endpoint<const N extends `GET /${string}`, P extends Fields & Declares<N>>(
  name: N,
  how: EndpointHow<P>,
): Endpoint<N, RowOf<P>, RowNamed<N>>
export function endpoint<const N extends `GET /${string}`>(
  name: PathParams<N> extends never ? N : never,
  how: Omit<EndpointHow<NoFields>, 'params'>,
): Endpoint<N, NoFields, RowNamed<N>>
export function endpoint(name: string, how: object): Any {
  return Object.freeze({
    $kind: 'endpoint',
    $name: name,
    $at: placeOf(endpoint),
    $params: Object.freeze({ ...(how as Partial<EndpointHow<Fields>>).params }),
    $how: how,
  })
}
