/** The settings drawer: how the page looks, API keys, password, sign out. */

import { Button, Drawer, PasswordInput, SegmentedControl, useMantineColorScheme, type MantineColorScheme } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode, type SyntheticEvent } from "react";
import { api, data } from "../api/client";
import { ME } from "../api/queries";
import type { Me } from "../api/types";
import { goTo } from "../app/location";
import { passwordProblem } from "../app/password";
import { ProblemNote } from "../parts/ProblemNote";
import { Keys } from "./Keys";

const SCHEMES: { value: MantineColorScheme; label: string }[] = [
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
  { value: "auto", label: "As the system" },
];

export function Settings({ me, onClose }: { me: Me; onClose: () => void }): ReactNode {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const client = useQueryClient();
  const leave = useMutation({
    mutationFn: () => data(api.POST("/api/v1/auth/sign-out")),
    onSuccess: () => {
      goTo("sign-in");
      client.setQueryData(ME, null);
    },
  });
  return (
    <Drawer opened onClose={onClose} position="right" title="Settings" size="md" data-testid="settings-drawer">
      <div className="stack">
        <section aria-labelledby="look-title">
          <h2 id="look-title">Look</h2>
          <SegmentedControl fullWidth data={SCHEMES} value={colorScheme} onChange={setColorScheme} aria-label="Colour scheme" />
        </section>
        {me.rights.includes("admin") && <Keys />}
        <Password />
        <section aria-labelledby="you-title">
          <h2 id="you-title">You</h2>
          <p className="small">
            Signed in as {me.name} ({me.role}).
          </p>
          <ProblemNote failure={leave.error} />
          <Button variant="default" loading={leave.isPending} onClick={() => leave.mutate()} data-testid="sign-out">
            Sign out
          </Button>
        </section>
      </div>
    </Drawer>
  );
}

function Password(): ReactNode {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const problem = passwordProblem(password, again);
  const choose = useMutation({
    mutationFn: () => data(api.POST("/api/v1/auth/password", { body: { current, new: password } })),
    onSuccess: () => {
      setCurrent("");
      setPassword("");
      setAgain("");
    },
  });

  function submit(event: SyntheticEvent): void {
    event.preventDefault();
    if (current !== "" && problem === null) choose.mutate();
  }

  return (
    <section aria-labelledby="password-title">
      <h2 id="password-title">Password</h2>
      <form className="stack" onSubmit={submit}>
        <PasswordInput label="Present password" autoComplete="current-password" value={current} onChange={(event) => setCurrent(event.currentTarget.value)} />
        <PasswordInput label="New password" autoComplete="new-password" value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
        <PasswordInput label="Once more" autoComplete="new-password" value={again} onChange={(event) => setAgain(event.currentTarget.value)} />
        <p className="small why" role="status">
          {choose.isSuccess && password === "" ? "Changed. Every other session has ended." : password === "" ? "" : problem}
        </p>
        <ProblemNote failure={choose.error} />
        <Button type="submit" variant="default" disabled={current === "" || problem !== null} loading={choose.isPending}>
          Change password
        </Button>
      </form>
    </section>
  );
}
