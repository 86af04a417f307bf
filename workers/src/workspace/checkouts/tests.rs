use super::*;
use crate::workspace::tests::{World, put};

const SMALL: &[(&str, &str)] = &[("a.txt", "one\n"), ("src/b.txt", "two\n")];

fn there(world: &World) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder(&world.mirror()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn fifty_at_once_share_what_one_of_them_made() {
    let world = World::new(SMALL).await;
    let (mirror, base) = (world.mirror(), world.base.clone());
    let all = (0..50).map(|_| {
        let (mirror, base) = (mirror.clone(), base.clone());
        tokio::spawn(async move { Checkout::get(&mirror, &base).await.unwrap() })
    });
    let mut held = Vec::new();
    for one in all.collect::<Vec<_>>() {
        held.push(one.await.unwrap());
    }
    let inode = |checkout: &Checkout| fs::metadata(checkout.tree.join("a.txt")).unwrap().ino();
    assert!(held.iter().all(|checkout| inode(checkout) == inode(&held[0])));
    assert_eq!(
        fs::read_to_string(held[0].tree.join("src/b.txt")).unwrap(),
        "two\n"
    );
    assert_eq!(
        there(&world),
        [base.clone(), format!("{base}.built"), format!("{base}.used")]
    );
}

#[tokio::test]
async fn a_half_made_checkout_is_never_taken_for_whole() {
    let world = World::new(SMALL).await;
    let place = folder(&world.mirror());
    // As a kill in the middle of the making leaves it.
    put(&place.join(format!("{}.new/tree", world.base)), "a.txt", "half");
    let checkout = Checkout::get(&world.mirror(), &world.base).await.unwrap();
    assert_eq!(fs::read_to_string(checkout.tree.join("a.txt")).unwrap(), "one\n");
    drop(checkout);
    // As a crash of the machine may: everything has its name, and the content is lost.
    let note = place.join(&world.base).join(WHOLE);
    let text = fs::read_to_string(&note)
        .unwrap()
        .replace(&boot(), "the boot before");
    fs::write(&note, text).unwrap();
    put(&place.join(&world.base).join("tree"), "a.txt", "");
    let checkout = Checkout::get(&world.mirror(), &world.base).await.unwrap();
    assert_eq!(fs::read_to_string(checkout.tree.join("a.txt")).unwrap(), "one\n");
    // And a note that was not written whole.
    drop(checkout);
    fs::write(&note, "{\"form\":1,").unwrap();
    put(&place.join(&world.base).join("tree"), "a.txt", "");
    let checkout = Checkout::get(&world.mirror(), &world.base).await.unwrap();
    assert_eq!(fs::read_to_string(checkout.tree.join("a.txt")).unwrap(), "one\n");
    // The control: a whole one of now is taken as it is.
    drop(checkout);
    put(&place.join(&world.base).join("tree"), "a.txt", "kept\n");
    let checkout = Checkout::get(&world.mirror(), &world.base).await.unwrap();
    assert_eq!(fs::read_to_string(checkout.tree.join("a.txt")).unwrap(), "kept\n");
}

#[tokio::test]
async fn the_longest_unused_go_first_and_what_is_used_stays() {
    let world = World::new(SMALL).await;
    let mut bases = vec![world.base.clone()];
    for number in 0..4 {
        bases.push(world.commit("a.txt", &format!("{number}\n")).await);
    }
    let mut used = None;
    for (age, base) in bases.iter().enumerate() {
        let checkout = Checkout::get(&world.mirror(), base).await.unwrap();
        let then = SystemTime::now() - Duration::from_secs(1000 - age as u64);
        checkout._lock.set_modified(then).unwrap();
        if age == 0 {
            used = Some(checkout);
        }
    }
    let place = folder(&world.mirror());
    put(&place.join("0123.new"), "half", "of a killed process");
    put(&place.join("4567-1.gone"), "half", "of a killed process");
    let commits = || -> Vec<String> {
        there(&world)
            .into_iter()
            .filter(|name| !name.contains('.'))
            .collect()
    };
    sweep::sweep(&place, 3, u64::MAX).unwrap();
    let mut expected = vec![bases[0].clone(), bases[3].clone(), bases[4].clone()];
    expected.sort();
    assert_eq!(commits(), expected);
    // Locks go with what they guard.
    assert_eq!(there(&world).len(), 9, "{:?}", there(&world));
    sweep::sweep(&place, 3, 0).unwrap();
    let mut expected = vec![bases[0].clone(), bases[4].clone()];
    expected.sort();
    assert_eq!(commits(), expected);
    drop(used);
    sweep::sweep(&place, 1, u64::MAX).unwrap();
    assert_eq!(commits(), [bases[4].clone()]);
    // One that was removed is made again.
    let again = Checkout::get(&world.mirror(), &bases[0]).await.unwrap();
    assert_eq!(fs::read_to_string(again.tree.join("a.txt")).unwrap(), "one\n");
}

#[tokio::test]
async fn git_inside_sees_no_file_as_changed_without_reading_it() {
    let world = World::new(SMALL).await;
    let checkout = Checkout::get(&world.mirror(), &world.base).await.unwrap();
    let index = fs::metadata(checkout.tree.join(".git/index")).unwrap();
    let file = fs::metadata(checkout.tree.join("src/b.txt")).unwrap();
    // Git reads again what is not older than its index.
    assert!(file.mtime() < index.mtime(), "{} {}", file.mtime(), index.mtime());
    assert_eq!(
        file.mtime(),
        fs::metadata(checkout.tree.join("a.txt")).unwrap().mtime()
    );
}

#[tokio::test]
async fn only_a_whole_id_names_a_checkout() {
    let world = World::new(SMALL).await;
    for odd in [
        "main",
        "../x",
        "",
        "HEAD",
        &format!("{}/..", world.base),
        &"f".repeat(40),
    ] {
        assert!(Checkout::get(&world.mirror(), odd).await.is_err(), "{odd}");
    }
}
