// One answer of the server on the page: a skeleton of its final size after 200 ms, the error in its place, else the value.
// Old values stay while new ones load.
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { ErrorNote } from './note.tsx'

const WIDTHS = [38, 52, 31, 45, 60, 35]

export function Skeleton({ rows = 4, height }: { readonly rows?: number; readonly height?: number }) {
  return (
    <div className="late-show" style={height === undefined ? undefined : { height, overflow: 'hidden' }} role="status">
      <span className="sr">Loading</span>
      {Array.from({ length: rows }, (_, row) => row).map((row) => (
        <div className="skel-row" key={row}>
          <span className="skel" style={{ width: `${WIDTHS[row % WIDTHS.length]}%` }} />
          <span className="sp" />
          <span className="skel" style={{ width: 54 }} />
        </div>
      ))}
    </div>
  )
}

export function Answer<T>({
  query,
  rows,
  height,
  children,
}: {
  readonly query: UseQueryResult<T>
  readonly rows?: number
  readonly height?: number
  readonly children: (data: T) => ReactNode
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>
  if (query.isError) return <ErrorNote error={query.error} again={() => void query.refetch()} />
  return <Skeleton {...(rows === undefined ? {} : { rows })} {...(height === undefined ? {} : { height })} />
}
