//! Which addresses are out there, and which are somebody's own: a name that an attempt may reach must not lead to this
//! machine, its network, or the place where a cloud keeps its credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What IANA's registry of special-purpose IPv4 addresses (RFC 6890 and later) does not send into the world.
const NOT_PUBLIC: [([u8; 4], u32); 17] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    // Link-local; clouds keep their metadata, and the credentials in it, at 169.254.169.254.
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Public by its number; inside Azure it is the machine's own host, with its agent's settings.
    ([168, 63, 129, 16], 32),
    // Multicast, reserved, broadcast.
    ([224, 0, 0, 0], 3),
];

/// The same within the part of IPv6 that is in use (2000::/3). Some of these carry an IPv4 address of anybody's choice.
const NOT_PUBLIC_6: [(Ipv6Addr, u32); 5] = [
    // Protocol assignments, Teredo among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public internet. All others are refused: loopback, private, shared (CGNAT),
/// link-local and metadata, multicast, reserved, and every IPv6 address that stands for an IPv4 one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC
            .iter()
            .any(|&(start, bits)| begins(address, Ipv4Addr::from(start), bits)),
        IpAddr::V6(address) => {
            let number = u128::from(address);
            let in_use = number >> 125 == 1;
            in_use
                && !NOT_PUBLIC_6
                    .iter()
                    .any(|&(start, bits)| number >> (128 - bits) == u128::from(start) >> (128 - bits))
        }
    }
}

/// Whether an address is one of this machine's own, also where that is a public one: what listens on it may be for this
/// machine alone. If the machine cannot be asked, every address is taken for its own.
pub(super) fn is_ours(address: IpAddr) -> bool {
    let Ok(all) = nix::ifaddrs::getifaddrs() else {
        return true;
    };
    all.filter_map(|one| one.address).any(|one| {
        one.as_sockaddr_in()
            .map(|found| IpAddr::V4(found.ip()))
            .or_else(|| one.as_sockaddr_in6().map(|found| IpAddr::V6(found.ip())))
            == Some(address)
    })
}

fn begins(address: Ipv4Addr, start: Ipv4Addr, bits: u32) -> bool {
    u32::from(address) >> (32 - bits) == u32::from(start) >> (32 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "168.63.129.16",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:93.184.216.34",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "4000::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.1",
            "168.63.129.17",
            "172.15.0.1",
            "172.32.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001:81b::200e",
            "2001:4860:4860::8888",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_this_machine_listens_on_is_its_own() {
        assert!(is_ours("127.0.0.1".parse().unwrap()));
        assert!(!is_ours("93.184.216.34".parse().unwrap()));
    }
}
