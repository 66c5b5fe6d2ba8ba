// What the load of the soak was told that is kept.

export interface Acknowledged {
  /** All of them, the late and the rejected included. */
  rows: number
  late: number
  rejected: number
  /** Of those that are not rejected. */
  sumSeq: bigint
  sumAmount: bigint
}
