import type { ReactNode } from "react";
import { useMe } from "../api/queries";
import { Asked } from "../parts/Asked";
import { useStore } from "../stream/store";
import { Desk } from "./Desk";
import { place } from "./location";
import { SignIn, Welcome } from "./SignIn";

/** Who is here decides what is shown; a one-time link is honoured whoever is. */
export function App(): ReactNode {
  const where = useStore(place, (value) => value);
  const me = useMe();
  if (where.at === "welcome") return <Welcome token={where.token} />;
  return <Asked query={me}>{(known) => (known === null ? <SignIn /> : <Desk me={known} />)}</Asked>;
}
