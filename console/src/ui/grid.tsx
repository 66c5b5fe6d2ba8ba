// The grid of data: sticky head with types, numbers right, `null` grey, masked cells hatched. TanStack Table holds columns
// and sorting state, TanStack Virtual draws only the visible rows beyond 200.
import { type ColumnDef, createColumnHelper, tableFeatures, useTable } from '@tanstack/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useMemo, useRef } from 'react'
import type { Cell } from '../../../src/serve/answers/admin.ts'
import type { ColumnInfo } from '../../../src/serve/answers/rows.ts'
import { familyOf, formatCell, shortType } from './format.ts'
import { Masked } from './masked.tsx'

const VIRTUAL_FROM = 200
const ROW_PX = 28
type Row = readonly Cell[]
const features = tableFeatures({})
const column = createColumnHelper<typeof features, Row>()

export interface Sort {
  readonly column: string
  readonly desc: boolean
}

export interface GridProps {
  readonly columns: readonly ColumnInfo[]
  readonly rows: readonly Row[]
  readonly masked?: readonly string[]
  /** Sorting is the server's: the grid only says what was asked. */
  readonly sort?: Sort | null
  readonly onSort?: (column: string) => void
  /** Numbers the rows. */
  readonly numbered?: boolean
  /** Height of the scrolling box; absent = as tall as its rows; 'fill' = the rest of the column. */
  readonly height?: number | 'fill'
  readonly types?: boolean
  /** Columns beyond this many are left out on small screens. */
  readonly keep?: number
}

const isRight = (type: string): boolean => familyOf(type) === 'number' || familyOf(type) === 'decimal'

function Value({ value, info, masked }: { readonly value: Cell; readonly info: ColumnInfo; readonly masked: boolean }) {
  if (value === null) return <span className="muted">null</span>
  const text = formatCell(value, info.type)
  return masked ? (
    <Masked text={text} />
  ) : (
    <span title={text.length > 60 ? String(value) : undefined}>{text.length > 200 ? `${text.slice(0, 200)}…` : text}</span>
  )
}

export function Grid({ columns, rows, masked = [], sort = null, onSort, numbered = false, height, types = false, keep = 99 }: GridProps) {
  const box = useRef<HTMLDivElement>(null)
  const defs = useMemo(
    () =>
      column.columns(
        columns.map((info, index) =>
          column.accessor((row: Row) => row[index] ?? null, {
            id: `${index}`,
            header: info.name,
            cell: (context) => <Value value={context.getValue() as Cell} info={info} masked={masked.includes(info.name)} />,
          }),
        ) as ColumnDef<typeof features, Row, Cell>[],
      ),
    [columns, masked],
  )
  const table = useTable({ features, columns: defs, data: rows as Row[] })
  const all = table.getRowModel().rows
  const virtual = all.length > VIRTUAL_FROM
  const virtualizer = useVirtualizer({
    count: all.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    enabled: virtual,
  })
  const items = virtual ? virtualizer.getVirtualItems() : []
  const above = items[0]?.start ?? 0
  const below = virtual ? virtualizer.getTotalSize() - (items.at(-1)?.end ?? 0) : 0
  const shown = virtual ? items.flatMap((item) => all[item.index] ?? []) : all
  const hide = (index: number): string => (index >= keep ? 'hide-m' : '')
  const wide = columns.length + (numbered ? 1 : 0)
  const boxHeight = height === 'fill' ? undefined : (height ?? (virtual ? 560 : undefined))
  return (
    <div
      ref={box}
      className={`gridbox ${height === 'fill' ? 'fill' : ''}`}
      style={boxHeight === undefined ? undefined : { maxHeight: boxHeight }}
      tabIndex={-1}
    >
      <table className="tight">
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {numbered ? (
                <th scope="col" className="rowno hide-m">
                  <span className="sr">Row</span>
                </th>
              ) : null}
              {group.headers.map((header, index) => {
                const info = columns[index]!
                const sorted = sort?.column === info.name
                return (
                  <th
                    scope="col"
                    key={header.id}
                    className={`${isRight(info.type) ? 'r' : ''} ${hide(index)}`}
                    aria-sort={sorted ? (sort.desc ? 'descending' : 'ascending') : undefined}
                  >
                    {onSort === undefined ? (
                      <Head info={info} types={types} />
                    ) : (
                      <button type="button" onClick={() => onSort(info.name)}>
                        <Head info={info} types={types} />
                        {sorted ? (sort.desc ? ' ↓' : ' ↑') : ''}
                      </button>
                    )}
                  </th>
                )
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {above > 0 ? <Gap height={above} wide={wide} /> : null}
          {shown.map((row) => (
            <tr key={row.id}>
              {numbered ? <td className="rowno num r hide-m">{row.index + 1}</td> : null}
              {row.getAllCells().map((cell, index) => (
                <td key={cell.id} className={`${cellClass(columns[index]!)} ${hide(index)}`}>
                  <table.FlexRender cell={cell} />
                </td>
              ))}
            </tr>
          ))}
          {below > 0 ? <Gap height={below} wide={wide} /> : null}
        </tbody>
      </table>
    </div>
  )
}

function cellClass(info: ColumnInfo): string {
  if (isRight(info.type)) return 'r'
  const family = familyOf(info.type)
  return family === 'instant' || family === 'date' ? 'num' : /uuid|json|binary|blob/i.test(info.type) ? 'mono' : ''
}

function Gap({ height, wide }: { readonly height: number; readonly wide: number }) {
  return (
    <tr>
      <td colSpan={wide} style={{ height, padding: 0, border: 0 }} />
    </tr>
  )
}

function Head({ info, types }: { readonly info: ColumnInfo; readonly types: boolean }) {
  return (
    <>
      <span className={types ? 'cn' : undefined}>{info.name}</span>
      {info.unit === undefined ? null : `, ${info.unit}`}
      {types ? <span className="ty hide-m">{shortType(info.type)}</span> : null}
    </>
  )
}
