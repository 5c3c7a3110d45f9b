//! The cases: what is done to the processes, and what the members have to receive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::member::{Command, Member, World, lock};
use crate::processes::{Process, free_port, redis, server, stat};
use crate::{Result, until};

const PROCESSES: usize = 3;
/// How long anything may take; this allows for a slow machine.
const PATIENCE: Duration = Duration::from_secs(100);
const LARGE: usize = 16 * 1024;

pub struct Test {
    port: u16,
    redis: Process,
    servers: Vec<Process>,
    world: Arc<World>,
    pub members: Vec<Member>,
}

/// What each sender had sent at one time.
type Mark = Vec<(usize, u64)>;

impl Test {
    pub async fn start() -> Result<Self> {
        let port = free_port()?;
        let mut test = Self {
            port,
            redis: redis(port)?,
            servers: Vec::new(),
            world: Arc::default(),
            members: Vec::new(),
        };
        for _ in 0..PROCESSES {
            let (process, address) = server(port)?;
            test.servers.push(process);
            lock(&test.world.addresses).push(address);
        }
        test.connected().await?;
        Ok(test)
    }

    /// Adds members until there are so many, and waits until all are connected.
    pub async fn join(&mut self, count: usize) -> Result {
        while self.members.len() < count {
            for _ in 0..100.min(count - self.members.len()) {
                let index = self.members.len();
                self.members
                    .push(Member::spawn(&self.world, index, index % PROCESSES, true));
            }
            self.all_open().await?;
        }
        Ok(())
    }

    pub fn violations(&self) -> Result {
        let mut violations = lock(&self.world.violations);
        match violations.len() {
            0 => Ok(()),
            count => Err(format!(
                "{count} violations, such as {}",
                violations.drain(..).next().unwrap_or_default()
            )
            .into()),
        }
    }

    /// Every sender sends, and every member receives everything.
    pub async fn broadcast(&self) -> Result<String> {
        let before = self.mark();
        for _ in 0..10 {
            self.senders().for_each(|sender| sender.ask(Command::Say(300)));
        }
        let after = later(&before, 10);
        self.received(&before, &after, |_| true).await?;
        let messages = 10 * self.senders().count();
        Ok(format!(": {messages} messages to {} members", self.members.len()))
    }

    pub async fn slow_member(&self) -> Result<String> {
        let slow = Member::spawn(&self.world, usize::MAX, 0, false);
        until(
            PATIENCE,
            || slow.state().is_open,
            || "the slow member is not connected".into(),
        )
        .await?;
        slow.ask(Command::Read(false));
        let sent = self.large(400, |_| true).await?;
        slow.ask(Command::Read(true));
        until(
            PATIENCE,
            || slow.state().ended > 0,
            || "the slow member is still connected".into(),
        )
        .await?;
        let end = slow.state().end.clone();
        if !end.contains("received 1013") {
            return Err(end.into());
        }
        self.none_ended(|_| true)?;
        let received = slow.state().received.values().map(Vec::len).sum::<usize>();
        Ok(format!(
            ", after {received} of {sent} large messages; the others received all"
        ))
    }

    pub async fn paused(&self) -> Result<String> {
        let before = self.mark_of(&self.members[1]);
        self.servers[0].signal("STOP")?;
        self.members[1].ask(Command::Say(100));
        sleep(Duration::from_millis(2500)).await;
        self.servers[0].signal("CONT")?;
        let after = later(&before, 1);
        self.received(&before, &after, |_| true).await?;
        until(
            PATIENCE,
            || self.servers[0].errors().contains("lag: "),
            || "it reports no lag".into(),
        )
        .await?;
        self.none_ended(|_| true)?;
        Ok(format!(": {} ms", stat(&self.address(0), "longest_lag_ms")?))
    }

    pub async fn paused_too_long(&self) -> Result<String> {
        let paused = || self.members.iter().filter(|member| member.process == 0);
        let received = |member: &Member| member.state().received.get(&1).map_or(0, Vec::len) as u64;
        let before: Vec<_> = paused().map(received).collect();
        self.servers[0].signal("STOP")?;
        let sent = self.large(1600, |member| member.process != 0).await;
        self.servers[0].signal("CONT")?;
        let sent = sent?;
        let knows = |(member, before): (&Member, &u64)| {
            let state = member.state();
            let is_back = state.back > 0 && state.back == state.away && state.missed > 0;
            let missed = state.missed;
            drop(state);
            is_back && received(member) - before + missed >= sent
        };
        let all_know = || paused().zip(&before).all(knows);
        until(PATIENCE, all_know, || {
            "its members were not sent `back`, and `missed` for all that they miss".into()
        })
        .await?;
        self.none_ended(|_| true)?;
        if !self.servers[0].errors().contains("the subscription has ended") {
            return Err(format!("Redis has not dropped it: {}", self.servers[0].errors()).into());
        }
        let missed = paused()
            .map(|member| member.state().missed)
            .max()
            .unwrap_or_default();
        if self
            .members
            .iter()
            .any(|member| member.process != 0 && member.state().missed > 0)
        {
            return Err("another process missed something".into());
        }
        Ok(format!(": {missed} of {sent} and heartbeats"))
    }

    pub async fn killed_process(&mut self) -> Result<String> {
        let last = PROCESSES - 1;
        let before = self.mark();
        self.trickle(Duration::from_millis(500)).await;
        self.servers[last].kill();
        self.trickle(Duration::from_millis(500)).await;
        let survives = |member: &Member| member.process != last;
        let victims = || self.members.iter().filter(|member| !survives(member));
        until(
            PATIENCE,
            || victims().all(|member| !member.state().is_open),
            || "it has connections".into(),
        )
        .await?;
        self.none_ended(survives)?;
        let after = self.sent().await;
        let surviving = |mark: &Mark| -> Mark {
            mark.iter()
                .copied()
                .filter(|(sender, _)| survives(&self.members[*sender]))
                .collect()
        };
        self.received(&surviving(&before), &surviving(&after), survives)
            .await?;
        // Of the senders whose process was killed, all receive the same messages, without a gap.
        for (sender, from) in before
            .iter()
            .filter(|(sender, _)| !survives(&self.members[*sender]))
        {
            let heard = |member: &Member| {
                member
                    .state()
                    .received
                    .get(sender)
                    .and_then(|all| all.last().copied())
            };
            let last = self
                .members
                .iter()
                .filter(|member| survives(member))
                .filter_map(heard)
                .max();
            let to = last.map_or(*from, |last| last + 1).max(*from);
            self.received(&vec![(*sender, *from)], &vec![(*sender, to)], survives)
                .await?;
        }
        let lost = victims().count();
        let (process, address) = server(self.port)?;
        self.servers[last] = process;
        lock(&self.world.addresses)[last] = address;
        self.connected().await?;
        self.all_open().await?;
        Ok(format!(
            ": {lost} of {}, which reconnect to the next process",
            self.members.len()
        ))
    }

    pub async fn killed_redis(&mut self) -> Result<String> {
        let ended: usize = self.members.iter().map(|member| member.state().ended).sum();
        let aways: Vec<_> = self.members.iter().map(|member| member.state().away).collect();
        let before = self.mark();
        self.trickle(Duration::from_millis(300)).await;
        let killed = self.sent().await;
        self.received(&before, &killed, |_| true).await?;
        self.redis.kill();
        self.trickle(Duration::from_millis(1000)).await;
        self.redis = redis(self.port)?;
        self.trickle(Duration::from_millis(1000)).await;
        self.connected().await?;
        let is_back = |(member, away): (&Member, &usize)| {
            let state = member.state();
            state.away > *away && state.back == state.away
        };
        let all = || self.members.iter().zip(&aways);
        until(
            PATIENCE,
            || all().all(is_back),
            || "not all members were told `away` and `back`".into(),
        )
        .await?;
        let back = self.mark();
        self.trickle(Duration::from_millis(300)).await;
        let after = self.sent().await;
        self.received(&back, &after, |_| true).await?;
        if ended
            != self
                .members
                .iter()
                .map(|member| member.state().ended)
                .sum::<usize>()
        {
            return Err("a connection has ended".into());
        }
        self.fates(&killed, &back)
    }

    /// Counts what became of the messages between two times. One that was refused must not have been delivered.
    fn fates(&self, from: &Mark, to: &Mark) -> Result<String> {
        let (mut everywhere, mut somewhere, mut refused, mut unknown, mut lost) = (0, 0, 0, 0, 0);
        for ((sender, from), (_, to)) in from.iter().zip(to) {
            for number in *from..*to {
                let count = self
                    .members
                    .iter()
                    .filter(|member| member.has(*sender, number, number + 1))
                    .count();
                let state = self.members[*sender].state();
                let (is_refused, is_unknown) =
                    (state.refused.contains(&number), state.unknown.contains(&number));
                match count {
                    0 if is_refused => refused += 1,
                    0 if is_unknown => unknown += 1,
                    0 => lost += 1,
                    _ if is_refused => {
                        return Err(format!(
                            "message {number} of {sender} was refused, and {count} members have it"
                        )
                        .into());
                    }
                    _ if count == self.members.len() => everywhere += 1,
                    _ => somewhere += 1,
                }
            }
        }
        if refused == 0 {
            return Err("nothing was refused while Redis was away".into());
        }
        Ok(format!(
            "; of the messages meanwhile {everywhere} went to all, {somewhere} to some, {refused} refused, {unknown} unknown, {lost} lost"
        ))
    }

    /// Every sender sends a message now and then.
    async fn trickle(&self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            self.senders().for_each(|sender| sender.ask(Command::Say(100)));
            sleep(Duration::from_millis(if self.is_large() { 250 } else { 50 })).await;
        }
    }

    /// One member sends large messages, no faster than the members that `have_to` receive them.
    async fn large(&self, count: u64, have_to: impl Fn(&Member) -> bool + Copy) -> Result<u64> {
        let sender = &self.members[1];
        for _ in 0..count / 8 {
            let before = self.mark_of(sender);
            (0..8).for_each(|_| sender.ask(Command::Say(LARGE)));
            self.received(&before, &later(&before, 8), have_to).await?;
        }
        Ok(count)
    }

    /// Few members of a large room send, because everyone receives everything.
    fn senders(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().take(if self.is_large() { 6 } else { 30 })
    }

    fn is_large(&self) -> bool {
        self.members.len() > 300
    }

    fn mark(&self) -> Mark {
        self.senders()
            .map(|sender| (sender.index, sender.state().sent))
            .collect()
    }

    fn mark_of(&self, sender: &Member) -> Mark {
        vec![(sender.index, sender.state().sent)]
    }

    /// Waits until the senders have sent most of what they were asked for.
    async fn sent(&self) -> Mark {
        sleep(Duration::from_millis(100)).await;
        self.mark()
    }

    /// Waits until the members that `have_to` have received all messages between two times.
    async fn received(&self, from: &Mark, to: &Mark, have_to: impl Fn(&Member) -> bool) -> Result {
        for ((sender, from), (_, to)) in from.iter().zip(to).filter(|((_, from), (_, to))| from < to) {
            for member in self.members.iter().filter(|member| have_to(member)) {
                let missing = || {
                    let index = member.index;
                    let end = member.state().end.clone();
                    format!("member {index} has not received messages {from} to {to} of {sender} ({end})")
                };
                until(PATIENCE, || member.has(*sender, *from, *to), missing).await?;
            }
        }
        Ok(())
    }

    /// Checks that none of these members has lost a connection.
    fn none_ended(&self, of: impl Fn(&Member) -> bool) -> Result {
        let ended = self
            .members
            .iter()
            .find(|member| of(member) && member.state().ended > 0);
        match ended {
            None => Ok(()),
            Some(member) => Err(format!(
                "member {} has lost a connection: {}",
                member.index,
                member.state().end
            )
            .into()),
        }
    }

    async fn all_open(&self) -> Result {
        let are_open = || self.members.iter().all(|member| member.state().is_open);
        until(PATIENCE, are_open, || "not all members are connected".into()).await
    }

    fn address(&self, process: usize) -> String {
        lock(&self.world.addresses)[process].clone()
    }

    /// Waits until every process is subscribed.
    async fn connected(&self) -> Result {
        for process in 0..PROCESSES {
            let address = self.address(process);
            let is_connected = || stat(&address, "connected").is_ok_and(|connected| connected == 1);
            until(PATIENCE, is_connected, || {
                format!("process {process} is not connected to Redis")
            })
            .await?;
        }
        Ok(())
    }
}

/// What the senders will have sent after `count` more messages each.
fn later(mark: &Mark, count: u64) -> Mark {
    mark.iter()
        .map(|(sender, sent)| (*sender, sent + count))
        .collect()
}
