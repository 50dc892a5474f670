// `tiphys etcd plan`: how many members an etcd cluster should have.

export interface MemberPlan {
  readonly members: number;
  readonly quorum: number;
  readonly mayFail: number;
}

/** Of a cluster that commits what more than half of its members have. */
export const planOf = (members: number): MemberPlan => {
  const quorum = Math.floor(members / 2) + 1;
  return { members, quorum, mayFail: members - quorum };
};

const mostRecommended = 7;

/** Why such a number is a bad choice; undefined when it is a good one. */
export function warningFor(members: number): string | undefined {
  const { quorum, mayFail } = planOf(members);
  if (members === 1) return "1 member: when it is lost the cluster stops, and what no snapshot holds is lost; take 3";
  if (members === 2) return "2 members: the loss of either stops the cluster, which makes it worse than 1; take 3";
  if (members % 2 === 0) {
    return `${members} members: an even number survives no more losses than ${members - 1} (${mayFail}) and needs ${quorum} of them to agree; take ${members - 1} or ${members + 1}`;
  }
  if (members > mostRecommended) return `${members} members: every write waits for ${quorum} of them; take 3 or 5`;
  return undefined;
}

/** A table of all sizes up to a little beyond, and the warning. */
export function planText(members: number): { readonly table: string; readonly warning: string | undefined } {
  const lines = ["MEMBERS  QUORUM  MAY FAIL"];
  for (let size = 1; size <= Math.max(7, members); size++) {
    const plan = planOf(size);
    const mark = size === members ? "  <-" : "";
    lines.push(`${String(plan.members).padEnd(9)}${String(plan.quorum).padEnd(8)}${plan.mayFail}${mark}`);
  }
  return { table: lines.join("\n"), warning: warningFor(members) };
}

export function printPlan({ members }: { readonly members: number }): void {
  if (!Number.isInteger(members) || members < 1 || members > 100) {
    throw new Error(`Cannot plan ${members} members: give a number from 1 to 100 with --members`);
  }
  const { table, warning } = planText(members);
  console.log(table);
  if (warning !== undefined) console.error(`warning: ${warning}`);
}
